"""Tables of 4-bit numbers, against a search for the nearest one number at a time."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from compress_core.kernels.codebooks import (
    E2M1,
    NF4,
    NF4_ZERO,
    e2m1_codes,
    e2m1_values,
    nf4_codes,
    nf4_values,
)


def test_nf4_is_a_rising_table_with_both_ends_and_zero() -> None:
    assert (np.diff(NF4) > 0).all()
    assert (NF4[0], NF4[NF4_ZERO], NF4[15]) == (-1, 0, 1)


def test_nf4_codes_are_of_the_nearest_numbers() -> None:
    units = np.random.default_rng(0).uniform(-1.2, 1.2, 4000).astype(np.float32)
    distances = np.abs(units[:, None].astype(np.float64) - NF4)
    assert np.array_equal(nf4_codes(units), distances.argmin(axis=1))
    assert np.array_equal(nf4_codes(NF4), np.arange(16))
    assert np.array_equal(nf4_values(nf4_codes(NF4)), NF4)


def test_between_two_numbers_of_nf4_the_lower_one_is_taken() -> None:
    middles = (NF4[1:] + NF4[:-1]) / np.float32(2)
    assert np.array_equal(nf4_codes(middles), np.arange(15))
    assert np.array_equal(nf4_codes(np.nextafter(middles, np.float32(2))), np.arange(1, 16))


def test_e2m1_is_what_ml_dtypes_says() -> None:
    patterns = np.arange(16, dtype=np.uint8)
    known = patterns.view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    assert np.array_equal(e2m1_values(patterns), known)
    assert np.array_equal(np.signbit(e2m1_values(patterns)), np.signbit(known))
    assert np.array_equal(e2m1_values(np.arange(8, dtype=np.uint8)), E2M1)


def test_e2m1_rounds_half_to_even_and_saturates() -> None:
    steps = np.concatenate([np.arange(-800, 801) / 100, [-1e9, 1e9]]).astype(np.float32)
    clipped = np.clip(steps, -6, 6)
    known = clipped.astype(ml_dtypes.float4_e2m1fn).astype(np.float32)
    found = e2m1_values(e2m1_codes(steps))
    assert np.array_equal(found, known)
    ties = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5], np.float32)
    assert e2m1_values(e2m1_codes(ties)).tolist() == [0, 1, 1, 2, 2, 4, 4]


@pytest.mark.parametrize(("value", "code"), [(0.0, 0), (-0.0, 0), (0.1, 0), (-0.1, 8), (-7.0, 15)])
def test_what_is_below_zero_keeps_its_sign(value: float, code: int) -> None:
    assert e2m1_codes(np.array([value], np.float32)).tolist() == [code]


@pytest.mark.parametrize("values_of", [nf4_values, e2m1_values])
def test_only_four_bits_of_a_code_count(values_of: object) -> None:
    codes = np.arange(256, dtype=np.uint8)
    assert callable(values_of)
    assert np.array_equal(values_of(codes), np.tile(values_of(codes[:16]), 16))
