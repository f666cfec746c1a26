"""What is looked for over a whole tensor before its codes are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_core.fitting import Fitting
from compress_core.passes.base import Survey
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    from compress_core.schemes.base import Parameters, Scheme
    from compress_core.tiles import Tile


class TensorFit(Survey):
    """One round of fitting over a whole tensor."""

    def __init__(self, scheme: Scheme, fitting: Fitting, turn: int, found: Parameters) -> None:
        self._scheme = scheme
        self._fitting = fitting
        self._turn = turn
        self._found = found
        self._statistics: Parameters = {}

    def observe(self, tile: Tile) -> list[Parameters]:
        pieces = []
        for first in tile.grains():
            rows = slice(first, first + tile.grain)
            kept = None if tile.mask is None else ~tile.mask[rows]
            pieces.append(self._scheme.overview(self._turn, tile.values[rows], kept, self._found))
        return pieces

    def absorb(self, info: TensorInfo, start: int, partial: list[Parameters]) -> None:
        import numpy as np

        combine = {"sum": np.add, "min": np.minimum, "max": np.maximum}
        for piece in partial:
            for name, value in piece.items():
                so_far = self._statistics.get(name)
                how = combine[self._scheme.reductions[name]]
                self._statistics[name] = value if so_far is None else how(so_far, value)

    def conclude(self) -> Parameters:
        """The parameters known after this round."""
        return self._scheme.conclude(self._turn, self._statistics, self._found, self._fitting)

    def next(self) -> Survey | None:
        """The next round, if the scheme needs one; then the search, if there is one."""
        found = self.conclude()
        if self._turn + 1 < self._scheme.surveys:
            return TensorFit(self._scheme, self._fitting, self._turn + 1, found)
        if self._scheme.group_size != "tensor" or not self._fitting.searches:
            return None
        search = TensorSearch(self._scheme, self._fitting, found)
        return search if search.trials else None


class TensorSearch(Survey):
    """The squared error of a whole tensor with each of several sets of parameters."""

    def __init__(self, scheme: Scheme, fitting: Fitting, found: Parameters) -> None:
        self._scheme = scheme
        self._fitting = fitting
        self._found = found
        self.trials = list(scheme.trials(found, fitting))
        self._errors: list[float] = []

    def observe(self, tile: Tile) -> list[list[float]]:
        return [self._errors_of(tile, first) for first in tile.grains()]

    def _errors_of(self, tile: Tile, first: int) -> list[float]:
        rows = slice(first, first + tile.grain)
        values = tile.values[rows].reshape(1, -1)
        kept = None if tile.mask is None else ~tile.mask[rows].reshape(1, -1)
        errors = self._scheme.errors(values, kept, values.size, self._fitting)
        return [float(errors(self._found | one)[0, 0]) for one in ({}, *self.trials)]

    def absorb(self, info: TensorInfo, start: int, partial: list[list[float]]) -> None:
        for errors in partial:
            before = self._errors or [0.0] * len(errors)
            self._errors = [one + other for one, other in zip(before, errors, strict=True)]

    def conclude(self) -> Parameters:
        """The best parameters; those of the formula among equals."""
        best = min(range(len(self._errors)), key=self._errors.__getitem__)
        return self._found | [{}, *self.trials][best]
