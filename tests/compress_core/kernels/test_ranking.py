"""Exactly k of many, and which of equals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.kernels import ranking

DTYPES = (np.uint16, np.uint32, np.uint64)


def smallest(keys: list[int], k: int) -> list[bool]:
    """The k smallest by sorting; among equals the higher index first."""
    order = sorted(range(len(keys)), key=lambda at: (keys[at], -at))
    chosen = set(order[: max(k, 0)])
    return [at in chosen for at in range(len(keys))]


def of_groups(keys: list[int], kept: int, width: int) -> list[bool]:
    """All but the ``kept`` largest of each group."""
    found: list[bool] = []
    for at in range(0, len(keys), width):
        group = keys[at : at + width]
        found += smallest(group, len(group) - kept)
    return found


def with_ties(rows: int, columns: int, dtype: Any, values: int = 4) -> NDArray[Any]:
    """Keys with many equals, the largest number of the dtype among them."""
    rng = np.random.default_rng(columns)
    keys = rng.integers(0, values, (rows, columns)).astype(dtype)
    keys[keys == values - 1] = np.iinfo(dtype).max
    return keys


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 2, 3, 7, 16, 50])
def test_exactly_k_are_chosen_and_of_equals_the_higher(columns: int, dtype: Any) -> None:
    keys = with_ties(9, columns, dtype)
    for k in range(columns + 1):
        mask = ranking.smallest(keys, k)
        assert mask.tolist() == [smallest(row, k) for row in keys.tolist()]


@pytest.mark.parametrize("k", [-1, 0, 1, 5, 6, 100])
def test_any_k_is_taken(k: int) -> None:
    keys = np.array([[3, 1, 1, 2, 0]], np.uint32)
    assert ranking.smallest(keys, k).tolist() == [smallest(keys[0].tolist(), k)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_those_equal_to_a_bound_the_first_stay(dtype: Any) -> None:
    keys = np.array([[2, 1, 2], [3, 2, 0]], dtype)
    assert ranking.below(keys, 2, 0).tolist() == [[True, True, True], [False, True, True]]
    assert ranking.below(keys, 2, 2).tolist() == [[False, True, False], [False, True, True]]
    assert ranking.below(keys, 2, 9).tolist() == [[False, True, False], [False, False, True]]
    assert ranking.below(keys.T, 2, 1).tolist() == [[False, False], [True, True], [True, True]]


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_nothing_is_chosen_of_nothing(shape: tuple[int, int]) -> None:
    assert ranking.smallest(np.zeros(shape, np.uint16), 2).shape == shape
    assert ranking.smallest_of_groups(np.zeros(shape, np.uint16), 2, 4).shape == shape


def test_all_equal_keys_lose_the_highest_indices() -> None:
    assert (
        ranking.smallest(np.full((1, 6), 9, np.uint32), 2)[0].tolist() == [False] * 4 + [True] * 2
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 31))
def test_any_row_agrees_with_sorting(row: list[int], k: int) -> None:
    assert ranking.smallest(np.array([row], np.uint32), k)[0].tolist() == smallest(row, k)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kept", "width"),
    [(0, 4), (1, 2), (2, 4), (4, 4), (4, 8), (1, 3), (8, 16), (15, 16), (5, 17), (20, 32), (1, 1)],
)
@pytest.mark.parametrize("columns", [1, 3, 4, 7, 16, 33, 64])
def test_each_group_keeps_its_largest(kept: int, width: int, columns: int, dtype: Any) -> None:
    keys = with_ties(5, columns, dtype)
    mask = ranking.smallest_of_groups(keys, kept, width)
    assert mask.tolist() == [of_groups(row, kept, width) for row in keys.tolist()]


@settings(deadline=None)
@given(st.data())
def test_any_groups_agree_with_sorting(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 20))
    kept = data.draw(st.integers(0, width))
    row = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=50))
    found = ranking.smallest_of_groups(np.array([row], np.uint16), kept, width)
    assert found[0].tolist() == of_groups(row, kept, width)


def test_choosing_leaves_keys_alone() -> None:
    keys = with_ties(4, 20, np.uint32)
    before = keys.copy()
    ranking.smallest(keys, 7)
    ranking.smallest_of_groups(keys, 2, 4)
    ranking.smallest_of_groups(keys, 2, 20)
    assert np.array_equal(keys, before)


@pytest.mark.parametrize(("width", "dtype"), [(16, np.uint16), (32, np.uint32), (64, np.uint64)])
def test_digits_are_counted_below_a_known_prefix(width: int, dtype: Any) -> None:
    rng = np.random.default_rng(width)
    top = rng.integers(0, 3, 500)
    keys = [(int(high) << (width - 16)) ^ low for low, high in enumerate(top)]
    array = np.array(keys, dtype).reshape(20, 25)
    for known in range(0, width, 16):
        for prefix in {key >> (width - known) for key in keys}:
            wanted = [0] * (1 << 16)
            for key in keys:
                if key >> (width - known) == prefix:
                    wanted[key >> (width - known - 16) & 0xFFFF] += 1
            found = ranking.digit_histogram(array, width, prefix, known)
            assert found.tolist() == wanted


def test_the_highest_key_falls_into_the_last_digit() -> None:
    keys = np.array([[np.iinfo(np.uint64).max]], np.uint64)
    prefix = 0
    for known in range(0, 64, 16):
        counts = ranking.digit_histogram(keys, 64, prefix, known)
        assert counts[-1] == counts.sum() == 1
        prefix = prefix << 16 | 0xFFFF
