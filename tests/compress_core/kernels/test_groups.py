"""Rows cut into groups."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.kernels.groups import grouped, spread, ungrouped


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 8, 100])
@pytest.mark.parametrize("columns", [1, 3, 7, 8])
def test_groups_are_consecutive_columns_and_zeros_fill_the_last(width: int, columns: int) -> None:
    values = np.arange(1, 2 * columns + 1, dtype=np.float32).reshape(2, columns)
    groups = grouped(values, width)
    assert groups.shape == (2, -(-columns // width), width)
    assert groups.dtype == values.dtype
    for row in range(2):
        for column in range(groups.shape[1] * width):
            expected = values[row, column] if column < columns else 0
            assert groups[row, column // width, column % width] == expected
    assert np.array_equal(ungrouped(groups, columns), values)


def test_a_group_that_fills_the_row_is_the_row() -> None:
    values = np.ones((3, 4), np.float32)
    assert np.shares_memory(grouped(values, 4), values)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float32])
def test_any_dtype_is_filled_with_its_zero(dtype: type) -> None:
    groups = grouped(np.ones((1, 3), dtype), 2)
    assert groups.dtype == dtype
    assert groups.tolist() == [[[1, 1], [1, 0]]]


def test_no_rows_have_no_groups() -> None:
    assert grouped(np.zeros((0, 5), np.float32), 2).shape == (0, 3, 2)
    assert ungrouped(np.zeros((0, 3, 2), np.float32), 5).shape == (0, 5)


def test_every_column_gets_the_parameter_of_its_group() -> None:
    parameter = np.array([[1, 2, 3], [4, 5, 6]])
    assert spread(parameter, 2, 5).tolist() == [[1, 1, 2, 2, 3], [4, 4, 5, 5, 6]]


def test_one_group_a_row_is_left_to_broadcasting() -> None:
    parameter = np.array([[1], [2]])
    assert np.broadcast_to(spread(parameter, 9, 5), (2, 5)).tolist() == [[1] * 5, [2] * 5]
