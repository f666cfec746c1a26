"""Methods that go by what the layer gives, each with what it computes of a Gram matrix once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.calibrated.admm import Spectrum, admm
from compress_core.kernels.calibrated.factor import damp, factorise
from compress_core.kernels.calibrated.fista import fista
from compress_core.kernels.calibrated.gradual import gradual
from compress_core.kernels.calibrated.problem import Choice, Floats, Problem, Pruned
from compress_core.kernels.calibrated.ridge import Ridge, ridge
from compress_core.kernels.calibrated.sparsegpt import sparsegpt
from compress_core.kernels.calibrated.wanda import wanda
from compress_core.passes.base import GRAM_ROWS, Settled, Waiting
from compress_core.tiles import Tile

Solve = Callable[[Problem], Pruned]


@dataclass(frozen=True)
class Optimised(Waiting):
    """A method that waits for the Gram matrix of a tensor.

    :ivar damping: share of the mean of its diagonal that is added to the diagonal.
    """

    choice: Choice
    damping: float

    def prepared(self, gram: NDArray[np.float32]) -> Settled:
        return Solved(self.choice, self.solver(gram))

    @abstractmethod
    def solver(self, gram: Floats) -> Solve:
        """The method with what follows from a Gram matrix, which it may change."""


@dataclass(frozen=True)
class Solved(Settled):
    """A method that knows the inputs of one tensor."""

    choice: Choice
    solve: Solve

    def apply(self, tile: Tile) -> None:
        values, mask = tile.values, tile.mask
        moved, gone = np.empty_like(values), np.empty(values.shape, dtype=np.bool_)
        for first in range(0, len(values), GRAM_ROWS):
            own = slice(first, first + GRAM_ROWS)
            before = None if mask is None else mask[own]
            found = self.solve(Problem(values[own], before, self.choice))
            moved[own], gone[own] = found.values, found.gone
        if tile.codes is None:  # what has codes keeps them
            tile.move(moved)
        tile.prune(gone)


class Wanda(Optimised):
    def solver(self, gram: Floats) -> Solve:
        energies = np.maximum(gram.diagonal(), np.float32(0))
        return lambda problem: wanda(problem, energies)


class SparseGpt(Optimised):
    def solver(self, gram: Floats) -> Solve:
        damp(gram, self.damping)
        factorise(gram)
        return lambda problem: sparsegpt(problem, gram)


class L1(Optimised):
    def solver(self, gram: Floats) -> Solve:
        damp(gram, self.damping)
        return lambda problem: fista(problem, gram)


class L2(Optimised):
    def solver(self, gram: Floats) -> Solve:
        found = Ridge.of(gram, damp(gram, self.damping))
        return lambda problem: ridge(problem, found)


class Dynamic(Optimised):
    def solver(self, gram: Floats) -> Solve:
        damp(gram, self.damping)
        return lambda problem: gradual(problem, gram)


class Admm(Optimised):
    def solver(self, gram: Floats) -> Solve:
        damp(gram, self.damping)
        spectrum = Spectrum.of(gram)
        return lambda problem: admm(problem, spectrum)


METHODS: Mapping[str, type[Optimised]] = {
    "wanda": Wanda,
    "sparsegpt": SparseGpt,
    "l1": L1,
    "l2": L2,
    "dynamic": Dynamic,
    "admm": Admm,
}
