"""Bit patterns of floating-point formats: there, back, and in order."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.kernels import floats

ALL_16 = np.arange(1 << 16, dtype=np.uint16)
NATIVE: dict[str, Any] = {
    "BF16": ml_dtypes.bfloat16,
    "F16": np.float16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
}
LARGEST = {"BF16": floats.BF16_MAX, "F16": floats.F16_MAX}
F32_MAX = float(np.finfo(np.float32).max)


def every_pattern(code: str) -> NDArray[Any]:
    """All bit patterns of an 8 or 16-bit format."""
    return np.arange(1 << DTYPES[code].bits).astype(DTYPES[code].storage)


def samples(code: str) -> NDArray[Any]:
    """Finite elements of a format, in its storage dtype: all of them, or many of every exponent."""
    if code in ("BF16", "F16"):
        finite: NDArray[np.bool_] = np.isfinite(floats.widen(ALL_16, code))
        return ALL_16[finite]
    if code == "F32":
        rng = np.random.default_rng(1)
        bits = rng.integers(0, 1 << 32, 50_000, dtype=np.uint64).astype(np.uint32)
        edges = np.array([0, 1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF], dtype=np.uint32)
        found = np.concatenate([edges, edges | np.uint32(1 << 31), bits]).view(np.float32)
        return found[np.isfinite(found)]
    single = samples("F32").astype(np.float64)
    # neighbours that float32 cannot tell apart
    return np.concatenate([single, np.nextafter(single, 0), np.nextafter(single, np.inf)])


def exact(raw: NDArray[Any], code: str) -> NDArray[np.float64]:
    """Values without any rounding, by another library."""
    native = raw.view(NATIVE[code]) if code in NATIVE else raw
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        return native.astype(np.float64)


def nearest_even(values: NDArray[np.float32], code: str) -> NDArray[np.float32]:
    """Round to a 16-bit format by searching among its own values; ties to the even pattern."""
    limit = np.float64(LARGEST[code])
    wanted = np.minimum(np.abs(values).astype(np.float64), limit)
    grid = exact(ALL_16[: 1 << 15], code)
    grid = grid[np.isfinite(grid)]
    above = np.minimum(np.searchsorted(grid, wanted), len(grid) - 1)
    below = np.maximum(above - 1, 0)
    up, down = grid[above] - wanted, wanted - grid[below]
    even = np.where(above % 2 == 0, above, below)
    pattern = np.where(up < down, above, np.where(up > down, below, even))
    return np.copysign(grid[pattern], values).astype(np.float32)


def same_bits(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    """Whether two float32 arrays agree in every bit, the sign of zero included."""
    return np.array_equal(one.view(np.uint32), other.view(np.uint32))


@pytest.mark.parametrize("code", NATIVE)
def test_widening_gives_the_value_of_every_pattern(code: str) -> None:
    raw = every_pattern(code)
    wide = floats.widen(raw, code)
    expected = raw.view(NATIVE[code]).astype(np.float32)
    number = ~np.isnan(expected)
    assert wide.dtype == np.float32
    assert np.array_equal(np.isnan(wide), ~number)
    assert same_bits(wide[number], expected[number])


@pytest.mark.parametrize("code", [*NATIVE, "F32", "F64"])
def test_widening_gives_an_array_of_its_own(code: str) -> None:
    raw = np.ones((2, 3), DTYPES[code].storage)
    before = raw.copy()
    wide = floats.widen(raw, code)
    assert wide.shape == raw.shape
    wide[:] = 0
    assert np.array_equal(raw, before)


def test_widening_float64_rounds_half_to_even() -> None:
    one, step = 1.0, 2.0**-23
    raw = np.array([one + step / 2, one + 3 * step / 2, one + step / 2 + 2.0**-50, -0.0])
    wide = floats.widen(raw, "F64")
    assert wide.tolist() == [one, one + 2 * step, one + step, 0.0]
    assert np.signbit(wide[3])


def test_widening_float64_beyond_float32_is_infinite_and_counts_as_not_finite() -> None:
    raw = np.array([[1e39, -1e39]])
    assert floats.widen(raw, "F64").tolist() == [[np.inf, -np.inf]]
    assert floats.has_nonfinite(raw, "F64")


@pytest.mark.parametrize("code", ["BF16", "F16", "F32", "F64"])
def test_every_finite_element_comes_back_from_float32(code: str) -> None:
    raw = samples(code) if code != "F64" else samples("F32").astype(np.float64)
    back = floats.narrow(floats.widen(raw, code), code)
    assert back.dtype == np.dtype(DTYPES[code].storage)
    assert back.tobytes() == raw.tobytes()


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_narrowing_rounds_to_the_nearest_and_halves_to_even(code: str) -> None:
    grid = floats.widen(samples(code), code).astype(np.float64)
    grid = np.unique(grid)
    middles = ((grid[1:] + grid[:-1]) / 2).astype(np.float32)  # 13 more bits hold them exactly
    assert np.array_equal(middles.astype(np.float64) * 2, grid[1:] + grid[:-1])
    values = np.concatenate(
        [
            middles,
            np.nextafter(middles, np.float32(np.inf)),
            np.nextafter(middles, np.float32(-np.inf)),
            samples("F32"),
        ]
    )
    rounded = floats.widen(floats.narrow(values, code), code)
    assert same_bits(rounded, nearest_even(values, code))


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_narrowing_agrees_with_another_library_within_the_range(code: str) -> None:
    values = samples("F32")
    values = values[np.abs(values) <= LARGEST[code]]
    assert np.array_equal(floats.narrow(values, code), values.astype(NATIVE[code]).view(np.uint16))


@pytest.mark.parametrize(
    ("code", "largest"),
    [("BF16", 3.3895313892515355e38), ("F16", 65504.0), ("F32", F32_MAX), ("F64", F32_MAX)],
)
def test_narrowing_saturates_at_the_largest_number(code: str, largest: float) -> None:
    with np.errstate(over="ignore"):
        just_above = np.nextafter(np.float32(largest), np.float32(np.inf))
    values = np.array([np.inf, -np.inf, just_above, -just_above, F32_MAX, -F32_MAX], np.float32)
    back = exact(floats.narrow(values, code), code)
    assert back.tolist() == [largest, -largest] * 3


@pytest.mark.parametrize("code", ["BF16", "F16", "F32", "F64"])
def test_nan_stays_nan_whatever_its_payload(code: str) -> None:
    patterns = [0x7FC00000, 0xFFC00000, 0x7F800001, 0xFF800001, 0x7FFFFFFF, 0x7F80FFFF, 0xFFFFFFFF]
    values = np.array(patterns, np.uint32).view(np.float32)
    assert np.isnan(exact(floats.narrow(values, code), code)).all()


@pytest.mark.parametrize("code", ["BF16", "F16", "F32", "F64"])
def test_minus_zero_stays_minus_zero(code: str) -> None:
    raw = floats.narrow(np.array([-0.0, 0.0], np.float32), code)
    assert np.signbit(floats.widen(raw, code)).tolist() == [True, False]


def test_narrowing_does_not_write_into_its_argument() -> None:
    values = np.array([1e38, np.nan, -np.inf], np.float32)
    before = values.tobytes()
    for code in ("BF16", "F16", "F32", "F64"):
        floats.narrow(values, code)
    assert values.tobytes() == before


def test_narrowing_takes_arrays_of_any_strides() -> None:
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    for code in ("BF16", "F16", "F32", "F64"):
        for view in (values.T, values[::-1, ::2], values[:, :0]):
            assert np.array_equal(floats.narrow(view, code), floats.narrow(view.copy(), code))


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_every_pattern_is_known_as_finite_or_not(code: str) -> None:
    finite = np.isfinite(exact(ALL_16, code))
    found = [floats.has_nonfinite(ALL_16[at : at + 1], code) for at in range(len(ALL_16))]
    assert np.array_equal(found, ~finite)


@pytest.mark.parametrize("code", ["F32", "F64"])
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_one_bad_element_among_many_is_found(code: str, bad: float) -> None:
    raw = np.full((3, 50), -F32_MAX, DTYPES[code].storage)
    assert not floats.has_nonfinite(raw, code)
    raw[1, 17] = bad
    assert floats.has_nonfinite(raw, code)


@pytest.mark.parametrize("code", ["BF16", "F16", "F32", "F64"])
def test_nothing_is_finite(code: str) -> None:
    assert not floats.has_nonfinite(np.zeros((0, 4), DTYPES[code].storage), code)


FORMATS = ("BF16", "F16", "F32", "F64")


@pytest.mark.parametrize(
    ("one", "other", "width"),
    [
        (one, other, width)
        for one in FORMATS
        for other in FORMATS
        for width in ((64,) if "F64" in (one, other) else (32, 64))
    ],
)
def test_keys_of_any_two_formats_are_ordered_like_magnitudes(
    one: str, other: str, width: int
) -> None:
    keys = [floats.magnitude_keys(samples(code), code, width) for code in (one, other)]
    sizes = [np.abs(exact(samples(code), code)) for code in (one, other)]
    key, size = np.concatenate(keys), np.concatenate(sizes)
    order = np.argsort(key, kind="stable")
    assert key.dtype == f"<u{width // 8}"
    # equal keys if and only if equal magnitudes, and no key above a larger magnitude
    assert np.array_equal(np.diff(size[order]) > 0, key[order][1:] != key[order][:-1])
    assert (np.diff(size[order]) >= 0).all()


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_keys_of_16_bits_are_ordered_like_those_of_32(code: str) -> None:
    raw = samples(code)
    short, long = (floats.magnitude_keys(raw, code, width) for width in (16, 32))
    assert short.dtype == np.uint16
    assert np.array_equal(np.argsort(short, kind="stable"), np.argsort(long, kind="stable"))
    assert np.array_equal(short == 0, long == 0)


@pytest.mark.parametrize(
    ("code", "width"),
    [(code, width) for code in FORMATS for width in (32, 64)] + [("BF16", 16), ("F16", 16)],
)
def test_zero_of_either_sign_has_key_zero_in_an_array_of_its_own(code: str, width: int) -> None:
    raw = floats.narrow(np.array([0.0, -0.0, 1.0], np.float32), code)
    before = raw.tobytes()
    keys = floats.magnitude_keys(raw, code, width)
    assert (keys == 0).tolist() == [True, True, False]
    keys[:] = 7
    assert raw.tobytes() == before


@pytest.mark.parametrize("code", FORMATS)
def test_zeros_are_counted_whatever_their_sign(code: str) -> None:
    values = np.array([[0.0, -0.0, 1.0], [2.0**-24, np.inf, np.nan]], np.float32)
    raw = np.zeros(values.shape, DTYPES[code].storage)
    if code in NATIVE:
        raw[:] = values.astype(NATIVE[code]).view(np.uint16)
    else:
        raw[:] = values
    assert floats.count_zeros(raw) == 2
    assert floats.count_zeros(raw.T) == 2
    assert floats.count_zeros(raw[:, :0]) == 0


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_denormals_are_no_zeros(code: str) -> None:
    assert floats.count_zeros(ALL_16) == 2
    smallest = np.array([1, 0x8001], np.uint16)
    assert floats.count_zeros(smallest) == 0
    assert (floats.magnitude_keys(smallest, code, 32) > 0).all()


@settings(deadline=None)
@given(st.floats(width=32, allow_nan=False), st.floats(width=32, allow_nan=False))
def test_float_keys_compare_like_absolute_values(one: float, other: float) -> None:
    low, high = floats.float_keys(np.array([one, other], np.float32)).tolist()
    assert (low < high) == (abs(one) < abs(other))
    assert (low == high) == (abs(one) == abs(other))


def test_the_limits_are_those_of_the_formats() -> None:
    assert (
        float(floats.BF16_MAX) == 2.0**128 - 2.0**120 == exact(np.array([0x7F7F], "<u2"), "BF16")[0]
    )
    assert float(floats.F16_MAX) == float(np.finfo(np.float16).max)
    assert Fraction(float(floats.F32_MAX)) == Fraction(2) ** 128 - Fraction(2) ** 104


@pytest.mark.parametrize("code", FORMATS)
def test_native_values_are_exact(code: str) -> None:
    raw = samples(code)
    found = floats.native(raw, code)
    assert found.dtype == (np.float64 if code == "F64" else np.float32)
    assert found.astype(np.float64).tobytes() == exact(raw, code).tobytes()
    assert np.shares_memory(found, raw) == (code in ("F32", "F64"))


@pytest.mark.parametrize("code", ["F8_E4M3", "F8_E5M2", "F8_E8M0"])
def test_8_bit_floats_come_back_and_saturate(code: str) -> None:
    patterns = np.arange(256, dtype=np.uint8)
    values = floats.widen(patterns, code)
    good = np.isfinite(values)
    assert np.array_equal(floats.narrow(values[good], code), patterns[good])
    ends = floats.widen(floats.narrow(np.array([1e38, -1e38], np.float32), code), code)
    assert ends[0] == max(values[good].max(), 0) or code == "F8_E8M0"
    for pattern in patterns:
        found = floats.has_nonfinite(np.array([0, pattern], np.uint8), code)
        assert found == (not good[pattern])
