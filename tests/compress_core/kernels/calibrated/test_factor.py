"""The upper factor of a matrix, made in its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.kernels.calibrated.factor import damp, factorise, invert, solve_upper
from tests.compress_core.kernels.calibrated.conftest import gram_of


@pytest.mark.parametrize("size", [1, 2, 127, 128, 129, 300])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_the_factor_times_its_transpose_is_the_matrix(
    size: int, dtype: type, tolerance: float
) -> None:
    gram: NDArray[Any] = gram_of(size).astype(dtype)
    factor = gram.copy()
    factorise(factor)
    assert not np.tril(factor, -1).any()
    assert (factor.diagonal() > 0).all()
    wide = factor.astype(np.float64)
    np.testing.assert_allclose(wide @ wide.T, gram, rtol=0, atol=tolerance * np.abs(gram).max())


@pytest.mark.parametrize("size", [1, 127, 128, 129, 300])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-11), (np.float32, 2e-4)])
def test_a_factor_is_inverted_in_its_place(size: int, dtype: type, tolerance: float) -> None:
    factor: NDArray[Any] = gram_of(size).astype(dtype)
    damp(factor, 0.1)
    factorise(factor)
    found = factor.copy()
    invert(found)
    assert not np.tril(found, -1).any()
    np.testing.assert_allclose(factor.astype(np.float64) @ found, np.eye(size), atol=tolerance)


def test_what_is_not_positive_definite_has_no_factor() -> None:
    gram = gram_of(200).astype(np.float64)
    gram[70, 70] = -1
    with pytest.raises(np.linalg.LinAlgError):
        factorise(gram)


def test_damping_is_a_share_of_the_mean_of_the_diagonal() -> None:
    gram = np.diag([1.0, 2.0, 6.0]).astype(np.float32)
    assert damp(gram, 0.1) == pytest.approx(0.3)
    np.testing.assert_allclose(gram, np.diag([1.3, 2.3, 6.3]), rtol=1e-6)


def test_what_no_input_came_to_is_damped_to_a_unit_matrix() -> None:
    gram = np.zeros((3, 3), np.float32)
    assert damp(gram, 0.1) == 1
    np.testing.assert_array_equal(gram, np.eye(3))


@pytest.mark.parametrize("columns", [1, 7, 128, 300])
def test_the_factor_solves_from_the_last_row_to_the_first(columns: int) -> None:
    random = np.random.default_rng(columns)
    inputs, right = random.standard_normal((2 * columns, columns)), random.standard_normal(columns)
    gram = inputs.T @ inputs
    factor = gram.copy()
    factorise(factor)
    found = solve_upper(factor, right)
    np.testing.assert_allclose(factor @ found, right, rtol=1e-9, atol=1e-9)
    assert found @ found == pytest.approx(right @ np.linalg.solve(gram, right), rel=1e-7)
