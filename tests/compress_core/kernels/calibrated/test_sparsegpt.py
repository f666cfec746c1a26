"""SparseGPT, compared with its algorithm written out on the inverse."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.kernels.calibrated.factor import BLOCK, factorise
from compress_core.kernels.calibrated.problem import Problem
from compress_core.kernels.calibrated.sparsegpt import sparsegpt
from tests.compress_core.kernels.calibrated.conftest import loss


def written_out(problem: Problem, gram: NDArray[np.float32]) -> NDArray[np.float64]:
    """Algorithm 1 of the paper, with one mask a row."""
    work = problem.weights.astype(np.float64)
    inverse = np.linalg.inv(gram.astype(np.float64))
    upper = np.linalg.cholesky(inverse).T  # H⁻¹ = Uᵀ U
    span = problem.choice.span or BLOCK
    for column in range(work.shape[1]):
        if column % span == 0:
            own = slice(column, min(column + span, work.shape[1]))
            scores = np.square(work[:, own]) / np.square(upper.diagonal()[own])
            gone = problem.pruned_between(scores.astype(np.float32), column)
        lost = np.where(gone[:, column % span], work[:, column], 0)
        work[:, column:] -= np.outer(lost / upper[column, column], upper[column, column:])
        work[gone[:, column % span], column] = 0
    return work


def test_it_gives_what_the_algorithm_gives(problem: Problem, gram: NDArray[np.float32]) -> None:
    factor = gram.copy()
    factorise(factor)
    found = sparsegpt(problem, factor)
    wanted = written_out(problem, gram)
    assert np.mean((wanted == 0) == found.gone) > 0.99
    assert not found.values[found.gone].any()
    assert loss(problem.weights, found.values, gram) == pytest.approx(
        loss(problem.weights, wanted, gram), rel=0.01
    )
