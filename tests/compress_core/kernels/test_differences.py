"""Distances of arrays, grain by grain."""

from __future__ import annotations

import ml_dtypes
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from compress_core.kernels.differences import (
    Distance,
    between_floats,
    between_others,
    between_same,
    change,
    unequal,
)

pairs = st.integers(1, 12).flatmap(
    lambda size: st.tuples(*[hnp.arrays(np.float32, size, elements=st.floats(width=32))] * 2)
)


@given(pairs)
def test_counts_are_those_of_plain_python(pair: tuple[NDArray[np.float32], ...]) -> None:
    a, b = pair
    found = between_floats(a, b, ("F32", "F32"))
    items = list(zip(a.tolist(), b.tolist(), strict=True))
    unlike = [(x, y) for x, y in items if x != y and not (np.isnan(x) and np.isnan(y))]
    odd = [(x, y) for x, y in unlike if not (np.isfinite(x) and np.isfinite(y))]
    both = [(x, y) for x, y in items if np.isfinite(x) and np.isfinite(y)]
    assert (found.differing, found.nonfinite) == (len(unlike), len(odd))
    assert found.zeros_a == np.count_nonzero(a == 0)
    assert found.zeros_b == np.count_nonzero(b == 0)
    assert found.max_abs >= 0
    assert np.isfinite(found.max_abs)
    assert (found.max_abs == 0) == all(x == y for x, y in both)


@given(pairs)
def test_nothing_is_far_from_itself(pair: tuple[NDArray[np.float32], ...]) -> None:
    a, _ = pair
    found = between_floats(a, a.copy(), ("F32", "F32"))
    assert (found.differing, found.nonfinite, found.error_squares) == (0, 0, (0.0,))
    assert found.reference_squares == between_same(a, "F32").reference_squares


def test_parts_are_joined_in_order() -> None:
    one = Distance((1.0,), (2.0,), 3.0, 4, 5, 6, 7)
    other = Distance((8.0,), (9.0,), 1.0, 1, 1, 1, 1)
    assert Distance.joined([one, other]) == Distance((1.0, 8.0), (2.0, 9.0), 3.0, 5, 6, 7, 8)
    assert Distance.joined([]) == Distance()


def test_patterns_are_zero_whatever_their_sign() -> None:
    a, b = np.array([0, 8, 3], np.uint8), np.array([8, 8, 4], np.uint8)
    found = between_others(a, b, magnitude=7)
    assert (found.differing, found.zeros_a, found.zeros_b) == (2, 2, 2)
    assert between_others(a, b, magnitude=None).zeros_b == 0


def test_values_are_compared_and_not_bits() -> None:
    a = np.array([0.0, np.nan, 1, np.inf])
    assert unequal(a, np.array([-0.0, -np.nan, 2, -np.inf])).tolist() == [False, False, True, True]
    assert not unequal(a.astype(np.complex128), a.astype(np.complex128)).any()


def test_a_change_is_told_in_float64_of_what_was_finite() -> None:
    before = np.array([1, np.nan, np.inf, 2.0**24 + 2], np.float32)
    after = np.array([0.5, 3, np.inf, 1], np.float32).astype(ml_dtypes.bfloat16)
    found = change(before, after, ("F32", "BF16"))
    assert found.tolist() == [0.5, 0, 0, 2.0**24 + 1]
