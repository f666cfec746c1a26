"""Casts: against NumPy, ml_dtypes and exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.errors import UnsupportedError
from compress_core.kernels.casting import cast

DTYPES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
}
STORAGE = {"F64": np.float64, "F32": np.float32, "F16": np.uint16, "BF16": np.uint16}
EVERY = np.arange(2**16, dtype=np.uint16)


def numbers(raw: NDArray[Any], code: str) -> NDArray[Any]:
    return raw.view(DTYPES[code])


@pytest.mark.parametrize("code", ["F16", "BF16"])
@pytest.mark.parametrize("to", ["F32", "F64"])
def test_every_number_of_16_bits_is_the_same_in_a_wider_dtype(code: str, to: str) -> None:
    found = cast(EVERY, code, to)
    assert found.dtype == STORAGE[to]
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(found, numbers(EVERY, code).astype(DTYPES[to]))
        back = cast(found, to, code)
    missing = np.isnan(found)
    assert (back[~missing] == EVERY[~missing]).all()
    assert np.isnan(numbers(back[missing], code)).all()


@pytest.mark.parametrize(("code", "to"), [("F16", "BF16"), ("BF16", "F16")])
def test_16_bits_become_the_other_16_bits(code: str, to: str) -> None:
    with np.errstate(all="ignore"):
        values = numbers(EVERY, code).astype(np.float32)
        wanted = values.astype(DTYPES[to]).astype(np.float32)
    whole = np.isfinite(wanted) | ~np.isfinite(values)
    found = numbers(cast(EVERY[whole], code, to), to).astype(np.float32)
    np.testing.assert_array_equal(found, wanted[whole])


@given(st.floats(width=32))
def test_float32_rounds_as_other_libraries_do(value: float) -> None:
    raw = np.array([value], np.float32)
    for to in ("F16", "BF16"):
        with np.errstate(all="ignore"):
            wanted = raw.astype(DTYPES[to])
        if np.isinf(wanted.astype(np.float32)[0]) and np.isfinite(raw[0]):
            with pytest.raises(UnsupportedError, match=f"is beyond the range of {to}"):
                cast(raw, "F32", to)
        else:
            found = numbers(cast(raw, "F32", to), to).astype(np.float64)
            np.testing.assert_array_equal(found, wanted.astype(np.float64))


def _beside_a_half(value: float, to: str) -> list[float]:
    """Numbers next to the middle between a number of a dtype and the next larger one."""
    low = np.array([value], DTYPES[to])
    high = (low.view(np.uint16 if to != "F32" else np.uint32) + 1).view(DTYPES[to])
    ends = float(low.astype(np.float64)[0]), float(high.astype(np.float64)[0])
    middle = ends[0] / 2 + ends[1] / 2
    return [middle, float(np.nextafter(middle, ends[0])), float(np.nextafter(middle, ends[1]))]


@given(st.floats(1e-36, 6e4) | st.floats(1e-44, 1e-37), st.sampled_from(["F32", "F16", "BF16"]))
def test_float64_is_rounded_once(value: float, to: str) -> None:
    for near in _beside_a_half(value, to):
        for sign in (1, -1):
            found = cast(np.array([sign * near]), "F64", to)
            got = float(numbers(found, to).astype(np.float64)[0])
            bits = np.uint32 if to == "F32" else np.uint16
            pattern = found.view(bits)
            around = (pattern + np.array([-1, 1])).astype(bits).view(DTYPES[to]).astype(np.float64)
            error = abs(Fraction(got) - Fraction(sign * near))
            others = [abs(Fraction(float(x)) - Fraction(sign * near)) for x in around if x == x]
            assert all(error <= other for other in others if other > 0)
            if any(error == other for other in others) and error:
                assert pattern[0] % 2 == 0, "halfway, and not to even"


@pytest.mark.parametrize(
    ("to", "largest", "beyond"),
    [
        ("F16", 65519.996, 65520.0),
        ("BF16", float(np.nextafter(2.0**128 - 2.0**119, 0)), 2.0**128 - 2.0**119),
        ("F32", float(np.nextafter(2.0**128 - 2.0**103, 0)), 2.0**128 - 2.0**103),
    ],
)
def test_what_rounds_to_infinity_is_beyond_the_range(
    to: str, largest: float, beyond: float
) -> None:
    found = numbers(cast(np.array([largest, -largest]), "F64", to), to).astype(np.float64)
    assert np.isfinite(found).all()
    assert found[0] == -found[1]
    with pytest.raises(UnsupportedError, match=f"is beyond the range of {to}"):
        cast(np.array([1.0, -beyond]), "F64", to)


@pytest.mark.parametrize("code", DTYPES)
@pytest.mark.parametrize("to", DTYPES)
def test_what_is_no_number_stays_so(code: str, to: str) -> None:
    values = np.array([np.nan, np.inf, -np.inf, -0.0, 1.0], np.float32).astype(DTYPES[code])
    raw = values.view(STORAGE[code])
    before = raw.tobytes()
    found = numbers(cast(raw, code, to), to).astype(np.float64)
    np.testing.assert_array_equal(found, values.astype(np.float64))
    assert np.signbit(found[3])
    assert raw.tobytes() == before
    assert cast(raw[:0], code, to).dtype == STORAGE[to]
