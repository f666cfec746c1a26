"""Pruning as a constraint that is approached: ADMM (Meng et al. 2024, ALPS, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.calibrated.problem import Floats, Mask, Problem, Pruned, without
from compress_core.kernels.calibrated.refit import refit

MOST_TURNS = 200
_FIRST_PENALTY = 0.003
_GROWTH = 1.1
_EVERY = 3
_SETTLING = 20  # turns before which a mask that stands still may move again


@dataclass(frozen=True)
class Spectrum:
    """A damped Gram matrix and its eigenvectors.

    :ivar gram: (columns, columns); ``vectors`` likewise, one a column.
    :ivar values: eigenvalues, (columns,).
    """

    gram: Floats
    values: Floats
    vectors: Floats

    @classmethod
    def of(cls, gram: Floats) -> Spectrum:
        """That of a damped Gram matrix, which has no eigenvalue below zero."""
        values, vectors = np.linalg.eigh(gram)
        return cls(gram, np.maximum(values, np.float32(0)), np.ascontiguousarray(vectors))


def admm(problem: Problem, found: Spectrum) -> Pruned:
    """A dense solution and a sparse one drawn together, until the mask settles; then a refit.

    In turns: W′ = (WH − U + ρD)(H + ρI)⁻¹, D = the largest of W′ + U/ρ, U += ρ(W′ − D). ρ begins
    at 0.3 % of the mean eigenvalue and grows by a tenth every third turn, so that early turns move
    the mask freely. A row that a refit by magnitude is better for gets that.
    """
    plain = _refitted(problem, problem.pruned(np.abs(problem.weights)), found.gram)
    moved = _refitted(problem, _settled_mask(problem, found), found.gram)
    better = _losses(problem, moved, found.gram) < _losses(problem, plain, found.gram)
    return Pruned(
        np.where(better, moved.values, plain.values), np.where(better, moved.gone, plain.gone)
    )


def _refitted(problem: Problem, gone: Mask, gram: Floats) -> Pruned:
    kept = without(problem.weights, gone)
    return Pruned(refit(problem.weights, kept, ~gone, gram), gone)


def _losses(problem: Problem, found: Pruned, gram: Floats) -> NDArray[np.float64]:
    """J of each row: (rows, 1)."""
    gap = problem.weights - found.values
    return np.asarray(np.sum((gap @ gram) * gap, axis=1, dtype=np.float64, keepdims=True))


def _settled_mask(problem: Problem, found: Spectrum) -> Mask:
    values, vectors = found.values, found.vectors
    penalty = np.float32(_FIRST_PENALTY * np.mean(values, dtype=np.float64))
    target = (problem.weights @ vectors) * values
    gone = problem.pruned(np.abs(problem.weights))
    sparse, dual = without(problem.weights, gone), np.zeros_like(problem.weights)
    for turn in range(0, MOST_TURNS, _EVERY):
        before = gone
        for _ in range(_EVERY):
            pulled = target + (penalty * sparse - dual) @ vectors
            dense = (pulled / (values + penalty)) @ vectors.T
            wanted = dense + dual / penalty
            gone = problem.pruned(np.abs(wanted))
            sparse = without(wanted, gone)
            dual += penalty * (dense - sparse)
        if turn > _SETTLING and np.array_equal(before, gone):
            break
        penalty *= np.float32(_GROWTH)
    return gone
