"""Scales and means as their dtype holds them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.errors import UnsupportedError
from compress_core.kernels.scales import (
    SMALLEST,
    covering_microscale,
    microscale,
    nearest_bias,
    nearest_scale,
    stored_bias,
    stored_mean,
    stored_scale,
)

NATIVE: dict[str, Any] = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32}
LARGEST = {"F16": 65504.0, "BF16": 3.3895313892515355e38, "F32": float(np.finfo(np.float32).max)}


def grid(dtype: str) -> NDArray[np.float64]:
    """All positive finite numbers of a 16-bit format, rising."""
    numbers = np.arange(1, 1 << 15, dtype=np.uint16).view(NATIVE[dtype]).astype(np.float32)
    return np.asarray(numbers[np.isfinite(numbers)], dtype=np.float64)


def scales(dtype: str) -> st.SearchStrategy[float]:
    """Positive float32 numbers that the format reaches."""
    return st.floats(2.0**-149, LARGEST[dtype], width=32)


def one(value: float) -> NDArray[np.float32]:
    """A single scale."""
    return np.array([[value]], np.float32)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_a_scale_is_the_nearest_one_that_can_be_stored(dtype: str, data: st.DataObject) -> None:
    scale = data.draw(scales(dtype))
    found = float(stored_scale(one(scale), dtype)[0, 0])
    numbers = grid(dtype)
    numbers = numbers[numbers >= float(SMALLEST[dtype])]
    assert found in numbers
    assert abs(found - scale) == np.abs(numbers - scale).min()


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_upwards_means_the_least_that_is_not_smaller(dtype: str, data: st.DataObject) -> None:
    scale = data.draw(scales(dtype))
    found = float(stored_scale(one(scale), dtype, upwards=True)[0, 0])
    numbers = grid(dtype)
    numbers = numbers[numbers >= float(SMALLEST[dtype])]
    assert found == numbers[np.searchsorted(numbers, scale)]


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_halves_go_to_the_even_number(dtype: str) -> None:
    numbers = grid(dtype)
    numbers = numbers[numbers >= float(SMALLEST[dtype])]
    low, high = numbers[1000:1010], numbers[1001:1011]
    found = stored_scale(((low + high) / 2).astype(np.float32)[None, :], dtype)[0]
    patterns = found.astype(NATIVE[dtype]).view(np.uint16)
    assert (patterns % 2 == 0).all()


def test_float32_scales_stay_as_they_are_unless_they_are_too_small() -> None:
    scale = np.array([[1.1, 2.0**-126, 2.0**-149, 3.4e38]], np.float32)
    expected = np.array([[1.1, 2.0**-126, 2.0**-126, 3.4e38]], np.float32)
    for upwards in (False, True):
        assert np.array_equal(stored_scale(scale, "F32", upwards=upwards), expected)


@pytest.mark.parametrize(
    ("dtype", "floor"), [("F16", 2.0**-24), ("BF16", 2.0**-126), ("F32", 2.0**-126)]
)
@pytest.mark.parametrize("upwards", [False, True])
def test_a_scale_never_becomes_zero(dtype: str, floor: float, upwards: bool) -> None:
    for tiny in (2.0**-149, floor / 4, floor):
        assert stored_scale(one(tiny), dtype, upwards=upwards).tolist() == [[floor]]


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_a_scale_of_zero_is_one_or_what_is_asked_for(dtype: str) -> None:
    assert stored_scale(one(0.0), dtype).tolist() == [[1.0]]
    assert stored_scale(one(0.0), dtype, upwards=True).tolist() == [[1.0]]
    assert stored_scale(one(0.0), dtype, of_zero=0).tolist() == [[0.0]]


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
@pytest.mark.parametrize("upwards", [False, True])
def test_the_largest_scale_fits_and_the_next_float32_does_not(dtype: str, upwards: bool) -> None:
    largest = LARGEST[dtype]
    assert stored_scale(one(largest), dtype, upwards=upwards).tolist() == [[largest]]
    beyond = np.nextafter(np.float32(largest), np.float32(np.inf))
    with pytest.raises(
        UnsupportedError, match=f"a scale of its groups does not fit {dtype}"
    ) as info:
        stored_scale(np.array([[1.0, beyond]], np.float32), dtype, upwards=upwards)
    assert info.value.hint == "pass --scale-dtype f32"


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_what_is_not_finite_is_no_scale(dtype: str, bad: float) -> None:
    with pytest.raises(UnsupportedError, match=f"does not fit {dtype}"):
        stored_scale(one(bad), dtype)


def test_what_float32_does_not_hold_is_a_distance_from_a_mean() -> None:
    with pytest.raises(UnsupportedError) as info:
        stored_scale(one(np.inf), "F32")
    assert info.value.hint == "pass --center none"


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_a_mean_is_rounded_with_its_sign_and_may_be_zero(dtype: str) -> None:
    mean = np.array([[-1.1, 1.1, 0.0, -(2.0**-149)]], np.float32)
    expected = mean.astype(NATIVE[dtype]).astype(np.float32)
    assert np.array_equal(stored_mean(mean, dtype), expected)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_a_mean_that_does_not_fit_is_said(dtype: str) -> None:
    with pytest.raises(
        UnsupportedError, match=f"a mean of its groups does not fit {dtype}"
    ) as info:
        stored_mean(one(-3.4e38), dtype)
    assert info.value.hint == "pass --scale-dtype f32"


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_no_groups_have_no_scales(dtype: str) -> None:
    nothing = np.zeros((3, 0), np.float32)
    assert stored_scale(nothing, dtype, upwards=True).shape == (3, 0)
    assert stored_mean(nothing, dtype).shape == (3, 0)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_scale_of_either_sign_is_rounded_like_a_positive_one(
    dtype: str, data: st.DataObject
) -> None:
    scale = data.draw(scales(dtype))
    found = float(nearest_scale(one(scale), dtype)[0, 0])
    assert found == float(stored_scale(one(scale), dtype)[0, 0])
    assert float(nearest_scale(one(-scale), dtype)[0, 0]) == -found


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_a_scale_of_either_sign_saturates(dtype: str) -> None:
    ends = np.array([np.inf, -np.inf], np.float32)
    assert nearest_scale(ends, dtype).tolist() == [LARGEST[dtype], -LARGEST[dtype]]


@pytest.mark.parametrize(
    ("largest", "scale"),
    [
        (1.0, 0.25),
        (1.7499999, 0.25),
        (1.75, 0.5),
        (6.0, 1.0),
        (6.9999995, 1.0),
        (7.0, 2.0),
        (0.0, 2.0**-127),
        (1e-45, 2.0**-127),
        (3.4e38, 2.0**126),
    ],
)
def test_a_power_of_two_for_the_largest_magnitude(largest: float, scale: float) -> None:
    assert microscale(one(largest), 2).tolist() == [[scale]]


@pytest.mark.parametrize(
    ("largest", "scale"),
    [
        (1.0, 0.25),
        (1.5, 0.25),
        (
            6.000001 * 2.0**-30,
            2.0**-30,
        ),  # the logarithm of the quotient is a whole number in float32
        (1.51, 0.5),
        (6.0, 1.0),
        (6.01, 2.0),
        (0.0, 1.0),
        (1e-45, 1.0),  # its sixth part is 0
        (1e-40, 2.0**-127),
        (3.4e38, 2.0**126),
    ],
)
def test_the_least_power_of_two_that_reaches_the_largest_magnitude(
    largest: float, scale: float
) -> None:
    assert covering_microscale(one(largest), np.float32(6)).tolist() == [[scale]]


@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_a_bias_is_rounded_and_saturates_only_in_a_search(dtype: str) -> None:
    ends = np.array([np.inf, -np.inf], np.float32)
    assert nearest_bias(ends, dtype).tolist() == [LARGEST[dtype], -LARGEST[dtype]]
    given = np.array([0.1, -3, 0], np.float32)
    assert stored_bias(given, dtype).tolist() == nearest_bias(given, dtype).tolist()
    with pytest.raises(UnsupportedError, match="a bias of its groups"):
        stored_bias(ends, dtype)
