"""One bit a weight: signs, means and the scale of least squares."""

from __future__ import annotations

import math
from typing import Any, Literal

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.errors import UnsupportedError
from compress_core.schemes.base import GroupSize
from compress_core.schemes.binary import Binary

NATIVE: dict[str, Any] = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32}
Center = Literal["none", "mean"]
CENTERS: tuple[Center, ...] = ("none", "mean")


def make(size: GroupSize, center: Center, dtype: str = "F32") -> Binary:
    """A binary scheme."""
    return Binary(bits=1, group_size=size, center=center, scale_dtype=dtype)


def dyadic(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    """Numbers whose sums are exact."""
    rng = np.random.default_rng(seed)
    return (rng.integers(-200, 201, (rows, columns)) / 64).astype(np.float32)


def fitted(kept: NDArray[np.float32], center: Center, dtype: str) -> tuple[float, float]:
    """(mean, scale) of the kept values of one group."""
    if not len(kept):
        return 0.0, 1.0
    mean = math.fsum(map(float, kept)) / len(kept) if center == "mean" else 0.0
    middle = np.float32(np.float32(mean).astype(NATIVE[dtype]))
    deviation = math.fsum(float(abs(value - middle)) for value in kept) / len(kept)
    return float(middle), float(np.float32(deviation).astype(NATIVE[dtype]))


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("center", CENTERS)
@pytest.mark.parametrize("size", [1, 4, 5, 8, 100, "channel"])
def test_parameters_codes_and_values_follow_the_formulas(
    size: GroupSize, center: Center, dtype: str
) -> None:
    columns = 13
    values = dyadic(6, columns)
    mask = np.random.default_rng(3).random(values.shape) < 0.4
    mask[4] = True
    mask[5] = False
    values[mask] = 0
    scheme = make(size, center, dtype)
    found = scheme.fit(values, mask)
    codes = scheme.encode(values, found)
    decoded = scheme.decode(codes, found)
    assert (codes.dtype, codes.shape) == (np.dtype(np.uint8), values.shape)
    assert (decoded.dtype, decoded.shape) == (np.dtype(np.float32), values.shape)
    assert list(found) == (["mean", "scale"] if center == "mean" else ["scale"])
    width = scheme.width(columns)
    for row in range(6):
        for place, first in enumerate(range(0, columns, width)):
            here = slice(first, first + width)
            mean, scale = fitted(values[row, here][~mask[row, here]], center, dtype)
            assert found["scale"][row, place] == scale
            assert "mean" not in found or found["mean"][row, place] == mean
            plus = [float(value) >= mean for value in values[row, here]]
            assert codes[row, here].tolist() == [int(one) for one in plus]
            high, low = np.float32(mean) + np.float32(scale), np.float32(mean) - np.float32(scale)
            assert decoded[row, here].tolist() == [high if one else low for one in plus]


matrices = arrays.arrays(
    np.float32,
    st.tuples(st.just(1), st.integers(1, 30)),
    elements=st.floats(-(2.0**50), 2.0**50, width=32),
)


@pytest.mark.parametrize("center", CENTERS)
@settings(deadline=None, max_examples=150)
@given(values=matrices)
def test_no_other_scale_has_a_smaller_square_error(
    center: Center, values: NDArray[np.float32]
) -> None:
    scheme = make("channel", center)
    found = scheme.fit(values, None)
    mean = float(found["mean"][0, 0]) if center == "mean" else 0.0
    scale = float(found["scale"][0, 0])
    sign = np.where(scheme.encode(values, found)[0] == 1, 1.0, -1.0)

    def error(other: float) -> float:
        return math.fsum(
            (float(w) - mean - s * other) ** 2 for w, s in zip(values[0], sign, strict=True)
        )

    # the best one for these signs is <w - mean, sign> / n
    inner = ((float(w) - mean) * s for w, s in zip(values[0], sign, strict=True))
    best = math.fsum(inner) / len(sign)
    spread = max(abs(float(w) - mean) for w in values[0])
    # every |w - mean| and the scale itself are rounded to float32, and floored
    off = 2.0**-23 * spread + 2.0**-126
    assert abs(scale - best) <= off
    # the error is a parabola around the best scale; float64 adds its own rounding
    slack = len(sign) * off**2 + 2.0**-48 * error(scale)
    for factor in (0.0, 0.5, 0.99, 1.01, 2.0):
        assert error(scale) <= error(scale * factor) + slack


@pytest.mark.parametrize("center", CENTERS)
def test_the_sign_of_zero_is_plus(center: Center) -> None:
    values = np.array([[0.0, -0.0, 1.0, -1.0]], np.float32)
    scheme = make("channel", center)
    codes = scheme.encode(values, scheme.fit(values, None))
    assert codes.tolist() == [[1, 1, 1, 0]]


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("value", [0.0, -0.0, 1.5, -3.0])
def test_a_constant_group_around_its_mean_comes_back_exactly(value: float, dtype: str) -> None:
    values = np.full((2, 7), value, np.float32)
    scheme = make(3, "mean", dtype)
    found = scheme.fit(values, None)
    assert not found["scale"].any()
    assert np.array_equal(scheme.decode(scheme.encode(values, found), found), values)


def test_a_kept_group_of_zeros_without_a_mean_stays_zero() -> None:
    values = np.zeros((1, 5), np.float32)
    scheme = make("channel", "none")
    found = scheme.fit(values, None)
    assert found["scale"].tolist() == [[0.0]]
    assert not scheme.decode(scheme.encode(values, found), found).any()


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("center", CENTERS)
def test_an_all_pruned_group_has_scale_1(center: Center, dtype: str) -> None:
    values = np.zeros((2, 5), np.float32)
    scheme = make(3, center, dtype)
    found = scheme.fit(values, np.ones(values.shape, np.bool_))
    assert found["scale"].tolist() == [[1.0, 1.0]] * 2
    assert "mean" not in found or not found["mean"].any()


@pytest.mark.parametrize("center", CENTERS)
def test_what_fills_a_ragged_group_is_not_counted(center: Center) -> None:
    values = dyadic(4, 7)
    ragged = make(4, center).fit(values, None)
    alone = make("channel", center).fit(values[:, 4:], None)
    for name in ragged:
        assert np.array_equal(ragged[name][:, 1:], alone[name])


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_a_scale_that_does_not_fit_names_the_option_that_helps(dtype: str) -> None:
    values = np.full((1, 4), {"F16": 65520.0, "BF16": 3.4e38}[dtype], np.float32)
    for center in CENTERS:
        with pytest.raises(UnsupportedError, match=f"does not fit {dtype}") as info:
            make("channel", center, dtype).fit(values, None)
        assert info.value.hint == "pass --scale-dtype f32"


def test_huge_values_saturate_without_a_warning() -> None:
    values = np.array([[3.4e38, 3.4e38, -1.6e38]], np.float32)
    scheme = make("channel", "mean")
    found = scheme.fit(values, None)
    assert np.isfinite(found["scale"]).all()
    decoded = scheme.decode(scheme.encode(values, found), found)
    # mean + scale is beyond float32: what is written is its largest number
    assert decoded[0, :2].tolist() == [math.inf, math.inf]
    assert decoded[0, 2] == found["mean"][0, 0] - found["scale"][0, 0]


def test_deviations_beyond_float32_are_an_error_and_no_warning() -> None:
    values = np.array([[3.4e38, -3.4e38, -3.4e38, -3.4e38]], np.float32)
    with pytest.raises(UnsupportedError, match="a scale of its groups does not fit F32") as info:
        make("channel", "mean").fit(values, None)
    assert info.value.hint == "pass --center none"
    make("channel", "none").fit(values, None)


@pytest.mark.parametrize(
    ("dtype", "floor"), [("F32", 2.0**-126), ("F16", 2.0**-24), ("BF16", 2.0**-126)]
)
def test_denormal_deviations_have_the_smallest_scale(dtype: str, floor: float) -> None:
    values = np.array([[2.0**-149, -(2.0**-149)]], np.float32)
    for center in CENTERS:
        found = make("channel", center, dtype).fit(values, None)
        assert found["scale"].tolist() == [[floor]]


@pytest.mark.parametrize("center", CENTERS)
def test_a_masked_element_has_code_zero(center: Center) -> None:
    scheme = make(4, center)
    assert scheme.zero_codes(scheme.fit(dyadic(2, 6), None), 6).tolist() == [[0]]


@pytest.mark.parametrize("center", CENTERS)
def test_no_rows_have_no_codes(center: Center) -> None:
    nothing = np.zeros((0, 5), np.float32)
    for size in (2, "channel"):
        scheme = make(size, center)
        found = scheme.fit(nothing, None)
        codes = scheme.encode(nothing, found)
        assert scheme.decode(codes, found).shape == codes.shape == (0, 5)


def test_nothing_writes_into_its_arguments() -> None:
    values = dyadic(3, 8)
    scheme = make(4, "mean")
    before = values.copy()
    found = scheme.fit(values, None)
    codes = scheme.encode(values, found)
    scheme.decode(codes, found)[:] = 9
    assert np.array_equal(values, before)
    assert set(np.unique(codes).tolist()) == {0, 1}
