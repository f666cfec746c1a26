"""The dynamic map: its numbers, its codes, and the largest of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.kernels.dynamic import (
    DYNAMIC,
    binned_codes,
    dynamic_codes,
    dynamic_values,
    largest_of_blocks,
)


def test_it_rises_from_below_minus_099_to_1_and_holds_zero() -> None:
    assert DYNAMIC.dtype == np.float32
    assert len(DYNAMIC) == 256
    assert (np.diff(DYNAMIC) > 0).all()
    assert DYNAMIC[127] == 0
    assert DYNAMIC[255] == 1
    assert np.array_equal(DYNAMIC[128:255], -DYNAMIC[126::-1])
    assert DYNAMIC[254] == np.float32(0.99296874)


def test_each_decade_has_twice_the_numbers_of_the_one_below() -> None:
    above = DYNAMIC[128:255].astype(np.float64)
    for i in range(7):
        middles = 10.0 ** (i - 6) * (0.1 + 0.9 * (np.arange(1 << i) + 0.5) / (1 << i))
        found = above[(1 << i) - 1 : (1 << (i + 1)) - 1]
        np.testing.assert_allclose(found, middles, rtol=2**-22)


def test_a_number_has_its_own_code() -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert np.array_equal(dynamic_values(codes), DYNAMIC)
    assert np.array_equal(dynamic_codes(DYNAMIC), codes)


@given(st.floats(-1, 1, width=32))
def test_the_code_is_that_of_the_nearest_number(unit: float) -> None:
    found = dynamic_values(dynamic_codes(np.array([unit], np.float32)))[0]
    assert abs(float(found) - unit) <= np.abs(DYNAMIC.astype(np.float64) - unit).min() * (1 + 1e-6)


def test_what_lies_beyond_gets_the_ends() -> None:
    units = np.array([-2, -1, 1, 2, -np.inf, np.inf], np.float32)
    assert dynamic_codes(units).tolist() == [0, 0, 255, 255, 0, 255]


def test_bins_give_the_nearest_number_or_its_neighbour_where_it_is_near_a_middle() -> None:
    units = np.random.default_rng(0).uniform(-1, 1, 100_000).astype(np.float32)
    nearest, found = dynamic_values(dynamic_codes(units)), dynamic_values(binned_codes(units))
    far = np.abs(units - found) - np.abs(units - nearest)
    assert 0 < np.count_nonzero(far > 0) < 1000
    assert far.max() <= 2 / 65535


def test_a_bin_has_one_code() -> None:
    centers = (np.arange(65536) / 65535 * 2 - 1).astype(np.float32)
    for shift in (-0.4, 0.4):
        inside = np.clip(centers + np.float32(shift * 2 / 65535), -1, 1)
        assert np.array_equal(binned_codes(inside), binned_codes(centers))
    assert binned_codes(np.array([-1, 0, 1], np.float32)).tolist() == [0, 131, 255]


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (5, 7), (64, 12)])
def test_blocks_run_through_rows(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    flat = values.reshape(-1)
    found = largest_of_blocks(values, 16)
    assert found.shape == shape
    for place, largest in enumerate(found.reshape(-1)):
        first = place - place % 16
        assert largest == np.abs(flat[first : first + 16]).max()
