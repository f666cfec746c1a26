"""Values beyond the numbers of their group."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.kernels.clipping import beyond, in_order

F32 = np.float32


def counted(values: np.ndarray, width: int, low: np.ndarray, high: np.ndarray) -> int:
    """The same, one value after the other."""
    rows, columns = values.shape
    found = 0
    for row in range(rows):
        for column in range(columns):
            group = column // width if low.shape[1] > 1 else 0
            at = row if len(low) > 1 else 0
            value = values[row, column]
            found += bool(value < low[at, group] or value > high[at, group])
    return found


@pytest.mark.parametrize(("columns", "width"), [(24, 8), (24, 24), (23, 8), (5, 8), (1, 1), (9, 8)])
def test_it_is_the_plain_count(columns: int, width: int) -> None:
    random = np.random.default_rng(columns)
    values = random.standard_normal((40, columns)).astype(F32)
    groups = -(-columns // width)
    low = -random.random((40, groups)).astype(F32)
    high = random.random((40, groups)).astype(F32)
    assert beyond(values, "F32", width, (low, high), None) == counted(values, width, low, high) > 0
    whole = (low[:1, :1], high[:1, :1])
    assert beyond(values, "F32", columns, whole, None) == counted(values, columns, *whole)


def test_what_is_gone_does_not_count() -> None:
    values = np.array([[5, 0, -5, 1], [1, 9, 0, 0]], F32)
    ends = np.full((2, 2), -2, F32), np.full((2, 2), 2, F32)
    gone = np.zeros((2, 4), np.bool_)
    assert beyond(values, "F32", 2, ends, gone) == 3
    gone[0, 0] = True
    assert beyond(values, "F32", 2, ends, gone) == 2


def test_the_end_itself_is_within() -> None:
    ends = np.array([[-1]], F32), np.array([[1]], F32)
    values = np.array([[1, -1, np.nextafter(F32(1), F32(2)), 0]], F32)
    assert beyond(values, "F32", 4, ends, None) == 1


def test_rows_and_columns_may_be_none() -> None:
    assert beyond(np.empty((0, 4), F32), "F32", 4, (np.empty((0, 1), F32),) * 2, None) == 0


def test_ends_are_put_in_order() -> None:
    low, high = in_order(np.array([1, -1], F32), np.array([-2, 2], F32))
    assert low.tolist() == [-2, -1]
    assert high.tolist() == [1, 2]
