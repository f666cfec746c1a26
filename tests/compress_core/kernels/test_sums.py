"""The order of a sum, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.kernels import sums

LENGTHS = [0, 1, 2, 3, 5, 8, 31, 64, 65, 100, 127, 128, 129, 200, 255, 256, 257, 1000, 4096, 10007]


def reference(values: list[float]) -> float:
    """The sum as the module states it, one addition after the other."""
    lanes = 1
    while lanes < len(values) and lanes < 128:
        lanes *= 2
    lane = [0.0] * lanes
    for place, value in enumerate(values):
        lane[place % lanes] += value
    while len(lane) > 1:
        half = len(lane) // 2
        lane = [lane[at] + lane[at + half] for at in range(half)]
    return lane[0]


def hard(count: int, dtype: Any = np.float64) -> NDArray[Any]:
    """Numbers of very different sizes and of both signs: another order gives another sum."""
    rng = np.random.default_rng(count)
    return (rng.normal(size=count) * 2.0 ** rng.integers(-30, 30, count)).astype(dtype)


@pytest.mark.parametrize("count", LENGTHS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sum_is_taken_in_the_stated_order(count: int, dtype: Any) -> None:
    values = hard(count, dtype)
    found = sums.ordered_sum(values)
    assert found.dtype == np.float64
    assert found.shape == ()
    assert float(found).hex() == reference(values.tolist()).hex()


def test_the_order_matters_for_such_numbers() -> None:
    values = hard(10007)
    assert float(sums.ordered_sum(values)) != float(sums.ordered_sum(values[::-1].copy()))


@settings(deadline=None)
@given(st.lists(st.floats(-1e300, 1e300), max_size=300))
def test_any_numbers_are_summed_in_the_stated_order(values: list[float]) -> None:
    found = float(sums.ordered_sum(np.array(values, np.float64)))
    # 0.0 + -0.0 is 0.0: an array of minus zeros has the sum zero in both
    assert found == reference(values)


@pytest.mark.parametrize("count", [3, 100, 129, 5000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_neither_leading_axes_nor_strides_change_a_bit(count: int, dtype: Any) -> None:
    rows = np.stack([hard(count, dtype) * (at + 1) for at in range(6)])
    expected = [reference(row.tolist()).hex() for row in rows]
    wide = np.zeros((6, count * 3), dtype)
    wide[:, ::3] = rows
    backwards = np.ascontiguousarray(rows[:, ::-1])[:, ::-1]
    deep = rows.reshape(2, 3, count)
    views = [rows, np.asfortranarray(rows), wide[:, ::3], backwards, deep, deep[:, :, None, :]]
    for view in views:
        found = sums.ordered_sum(view)
        assert found.shape == view.shape[:-1]
        assert [float(one).hex() for one in found.reshape(-1)] == expected
    alone = [float(sums.ordered_sum(row)).hex() for row in rows]
    assert alone == expected


def test_a_large_float32_array_is_summed_in_float64() -> None:
    values = np.full(300_001, np.float32(0.1))
    assert float(sums.ordered_sum(values)).hex() == reference(values.tolist()).hex()


def test_missing_elements_count_as_zero() -> None:
    values = hard(150)
    filled = np.concatenate([values, np.zeros(106)])
    assert float(sums.ordered_sum(values)).hex() == float(sums.ordered_sum(filled)).hex()


def test_no_rows_have_no_sums() -> None:
    assert sums.ordered_sum(np.zeros((0, 5))).shape == (0,)
    assert sums.ordered_sum(np.zeros((4, 0))).tolist() == [0.0] * 4


def test_a_group_sum_counts_what_is_kept() -> None:
    values = np.array([[[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]], np.float32)
    kept = np.array([[[True, False, True], [False, False, False]]])
    found = sums.group_sum(values, kept)
    assert found["sum"].tolist() == [[3.0, 0.0]]
    assert found["count"].tolist() == [[2.0, 0.0]]
    assert sums.group_sum(values, None)["count"].tolist() == [[3.0, 3.0]]


def test_a_mean_is_rounded_once_and_zero_of_nothing() -> None:
    statistics = {"sum": np.array([[1.0, 0.0]]), "count": np.array([[3.0, 0.0]])}
    mean = sums.mean_of(statistics)
    assert mean.dtype == np.float32
    assert mean.tolist() == [[float(np.float32(1 / 3)), 0.0]]


def test_squares_are_taken_in_float64_and_summed_in_the_same_order() -> None:
    values = hard(1000, np.float32).reshape(25, 40)
    squares = [float(value) ** 2 for value in values.ravel().tolist()]
    assert sums.square_sum(values).hex() == reference(squares).hex()
    assert sums.square_sum(values[:, :0]) == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
def test_a_square_that_is_not_finite_makes_the_sum_so_without_a_warning(bad: float) -> None:
    assert not np.isfinite(sums.square_sum(np.array([1.0, bad, -bad])))


@pytest.mark.parametrize("count", LENGTHS[1:])
@pytest.mark.parametrize("columns", [1, 2, 7])
def test_a_sum_over_the_first_axis_is_taken_in_the_same_order(count: int, columns: int) -> None:
    values = np.stack([np.roll(hard(count, np.float32), at) for at in range(columns)], axis=1)
    wide = sums.column_sum(values)
    assert wide.dtype == np.float64
    assert wide.tolist() == sums.ordered_sum(values.T).tolist()
    assert wide.tolist() == [reference([float(v) for v in column]) for column in values.T]
    narrow = sums.column_sum(values, np.float32)
    assert narrow.dtype == np.float32
    alone = [sums.column_sum(values[:, at : at + 1], np.float32)[0] for at in range(columns)]
    assert narrow.tolist() == [float(one) for one in alone]
