"""Conjugate gradients over what stays, compared with a direct solution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.calibrated.problem import Problem, without
from compress_core.kernels.calibrated.refit import refit
from tests.compress_core.kernels.calibrated.conftest import loss


def test_it_reaches_the_direct_solution(problem: Problem, gram: NDArray[np.float32]) -> None:
    weights = problem.weights
    kept = ~problem.pruned(np.abs(weights))
    found = refit(weights, without(weights, ~kept), kept, gram, iterations=200)
    wide = gram.astype(np.float64)
    for row, mask, fitted in zip(weights[:5], kept, found, strict=False):
        wanted = np.linalg.solve(wide[np.ix_(mask, mask)], wide[mask] @ row)
        np.testing.assert_allclose(fitted[mask], wanted, rtol=0, atol=2e-3)
    assert not found[~kept].any()


def test_every_iteration_helps(problem: Problem, gram: NDArray[np.float32]) -> None:
    weights = problem.weights
    kept = ~problem.pruned(np.abs(weights))
    start = without(weights, ~kept)
    losses = [loss(weights, refit(weights, start, kept, gram, n), gram) for n in (0, 1, 5, 15)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.95 * losses[0]


def test_with_independent_inputs_nothing_moves(problem: Problem) -> None:
    kept = ~problem.pruned(np.abs(problem.weights))
    start = without(problem.weights, ~kept)
    unit = np.eye(problem.columns, dtype=np.float32)
    np.testing.assert_array_equal(refit(problem.weights, start, kept, unit), start)


def test_rows_with_nothing_left_stay_zero(gram: NDArray[np.float32]) -> None:
    weights = np.ones((2, 150), np.float32)
    kept = np.zeros(weights.shape, np.bool_)
    assert not refit(weights, np.zeros_like(weights), kept, gram).any()
