"""Extent, deviation and histogram of one grain."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.kernels.distribution import (
    BINS,
    Extent,
    deviation,
    extent_of_floats,
    extent_of_integers,
    histogram,
)


def test_an_extent_leaves_out_what_is_no_number() -> None:
    values = np.array([np.nan, -2, np.inf, 0, -np.inf, 5], np.float32)
    assert extent_of_floats(values, "F32") == Extent(-2, 5, 1, 1, 2, (3.0,))
    assert extent_of_floats(values[[1, 3, 5]], "F32") == Extent(-2, 5, 1, 0, 0, (3.0,))
    assert extent_of_floats(values[:1], "F32") == Extent(None, None, 0, 1, 0, (0.0,))


def test_integers_keep_all_their_digits() -> None:
    found = extent_of_integers(np.array([2**63 - 1, 0, -(2**63)]))
    assert (found.low, found.high, found.zeros, found.sums) == (-(2**63), 2**63 - 1, 1, ())


def test_extents_are_joined_in_order() -> None:
    one, none, other = Extent(1, 2, 0, 0, 0, (3.0,)), Extent(nan=2), Extent(-1, 1, 1, 0, 1, (0.5,))
    assert Extent.joined([one, none, other]) == Extent(-1, 2, 1, 2, 1, (3.0, 0.5))
    assert Extent.joined([]) == Extent()


def test_a_deviation_is_taken_in_float64() -> None:
    values = np.array([1, 2, np.nan, 4, np.inf], np.float32)
    mean = 7 / 3
    assert deviation(values, "F32", mean) == pytest.approx(
        sum((x - mean) ** 2 for x in (1, 2, 4)), rel=1e-15
    )


def test_edges_belong_to_the_bin_above_and_the_last_bin_is_closed() -> None:
    values = np.arange(BINS + 1, dtype=np.float32)
    assert histogram(values, "F32", 0.0, float(BINS)) == (1,) * (BINS - 1) + (2,)


def test_odd_elements_are_in_no_bin() -> None:
    values = np.array([0, np.nan, 1, np.inf, -np.inf], np.float32)
    assert sum(histogram(values, "F32", 0.0, 1.0)) == 2
