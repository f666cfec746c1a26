"""Integer codes against the formulas, written again one group and one number at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.errors import UnsupportedError
from compress_core.kernels import floats
from compress_core.schemes.base import GroupSize
from compress_core.schemes.integer import Integer

NATIVE: dict[str, Any] = {"F16": np.float16, "BF16": ml_dtypes.bfloat16, "F32": np.float32}
SMALLEST = {"F16": 2.0**-24, "BF16": 2.0**-126, "F32": 2.0**-126}
How = Literal["symmetric", "asymmetric", "mean"]
HOWS: tuple[How, ...] = ("symmetric", "asymmetric", "mean")
DTYPES = ("F32", "F16", "BF16")


def make(bits: int, size: GroupSize, how: How, dtype: str = "F32") -> Integer:
    """One of the three kinds of grids."""
    return Integer(
        bits=bits,
        group_size=size,
        symmetric=how != "asymmetric",
        center="mean" if how == "mean" else "none",
        scale_dtype=dtype,
    )


@dataclass(frozen=True)
class Group:
    """The grid of one group, found without the code under test."""

    bits: int
    how: How
    scale: np.float32
    zero: int
    mean: np.float32

    @classmethod
    def of(cls, kept: NDArray[np.float32], bits: int, how: How, dtype: str) -> Group:
        """Fit to the kept values; sums must be exact."""
        zero, mean = 1 << (bits - 1), np.float32(0)
        if how == "asymmetric":
            low, high = min([0.0, *map(float, kept)]), max([0.0, *map(float, kept)])
            scale = stored(np.float32((high - low) / (2**bits - 1)), dtype, up=bits == 8)
            steps = round(float(np.float32(-low) / scale))
            return cls(bits, how, scale, min(max(steps, 0), 2**bits - 1), mean)
        if how == "mean" and len(kept):
            mean = as_stored(np.float32(sum(map(float, kept)) / len(kept)), dtype)
        amax = max((abs(value - mean) for value in kept), default=np.float32(0))
        return cls(bits, how, stored(amax / np.float32(2 ** (bits - 1) - 1), dtype), zero, mean)

    def code(self, value: np.float32) -> int:
        """Code of one number."""
        steps = round(float((value - self.mean) / self.scale))
        bound = 2 ** (self.bits - 1) - 1
        if self.how == "asymmetric":
            return int(np.clip(steps + self.zero, 0, 2**self.bits - 1))
        return int(np.clip(steps, -bound, bound)) + self.zero

    def value(self, code: int) -> float:
        """Number of one code."""
        return float(np.float32(code - self.zero) * self.scale + self.mean)


def as_stored(value: np.float32, dtype: str) -> np.float32:
    """Rounded to nearest by another library."""
    return np.float32(value.astype(NATIVE[dtype]))


def stored(scale: np.float32, dtype: str, *, up: bool = False) -> np.float32:
    """A scale as it is stored; 1 instead of 0, and never below the smallest."""
    if scale == 0:
        return np.float32(1)
    near = scale.astype(NATIVE[dtype])
    if up and np.float32(near) < scale:
        near = (near.view(np.uint16) + np.uint16(1)).view(NATIVE[dtype])
    return np.float32(max(float(near), SMALLEST[dtype]))


def dyadic(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    """Numbers whose sums are exact in float32; a constant row, a row of zeros, one-sided rows."""
    rng = np.random.default_rng(seed)
    values = (rng.integers(-200, 201, (rows, columns)) / 64).astype(np.float32)
    values[1] = 0.75
    values[2] = 0
    values[3] = np.abs(values[3])
    values[4] = -np.abs(values[4])
    return values


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("size", [1, 5, 100])
def test_parameters_codes_and_values_follow_the_formulas(
    size: GroupSize, bits: int, how: How, dtype: str
) -> None:
    columns = 13
    values = dyadic(7, columns, seed=bits)
    mask = np.random.default_rng(bits).random(values.shape) < 0.4
    mask[5] = True  # all of its groups are pruned
    mask[6] = False
    values[mask] = 0
    scheme = make(bits, size, how, dtype)
    found = scheme.fit(values, mask)
    codes = scheme.encode(values, found)
    decoded = scheme.decode(codes, found)
    assert (codes.dtype, codes.shape) == (np.dtype(np.uint8), values.shape)
    assert (decoded.dtype, decoded.shape) == (np.dtype(np.float32), values.shape)
    width = scheme.width(columns)
    for row in range(7):
        for place, first in enumerate(range(0, columns, width)):
            here = slice(first, first + width)
            grid = Group.of(values[row, here][~mask[row, here]], bits, how, dtype)
            assert found["scale"][row, place] == grid.scale
            if how == "asymmetric":
                assert found["zero_point"][row, place] == grid.zero
            if how == "mean":
                assert found["mean"][row, place] == grid.mean
            expected = [grid.code(value) for value in values[row, here]]
            assert codes[row, here].tolist() == expected
            assert decoded[row, here].tolist() == [grid.value(code) for code in expected]


@pytest.mark.parametrize("how", HOWS)
def test_no_mask_is_a_mask_that_keeps_all(how: How) -> None:
    values = dyadic(6, 11)
    for size in (4, "channel"):
        scheme = make(4, size, how)
        one, other = scheme.fit(values, None), scheme.fit(values, np.zeros(values.shape, np.bool_))
        assert {key: value.tolist() for key, value in one.items()} == {
            key: value.tolist() for key, value in other.items()
        }


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_all_pruned_group_has_scale_1(how: How, dtype: str) -> None:
    values = np.zeros((2, 6), np.float32)
    scheme = make(4, 3, how, dtype)
    found = scheme.fit(values, np.ones(values.shape, np.bool_))
    assert found["scale"].tolist() == [[1.0, 1.0]] * 2
    for name in found.keys() - {"scale"}:
        assert not found[name].any()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("bits", range(2, 9))
def test_zeros_that_are_not_pruned_have_scale_1_and_stay_zeros(how: How, bits: int) -> None:
    values = np.zeros((1, 4), np.float32)
    values[0, 1] = -0.0
    scheme = make(bits, "channel", how)
    found = scheme.fit(values, None)
    assert found["scale"].tolist() == [[1.0]]
    assert scheme.decode(scheme.encode(values, found), found).tolist() == [[0.0] * 4]


@pytest.mark.parametrize("value", [3.0, -3.0, 1e-30, 65504.0])
@pytest.mark.parametrize("bits", range(2, 9))
def test_a_constant_group_comes_back_up_to_the_rounding_of_its_scale(
    value: float, bits: int
) -> None:
    values = np.full((1, 5), value, np.float32)
    for how in HOWS:
        scheme = make(bits, "channel", how)
        found = scheme.fit(values, None)
        decoded = scheme.decode(scheme.encode(values, found), found)
        # scale = fl(value / k), decoded = fl(k · scale): two roundings
        assert np.abs(decoded - values).max() <= 2 * abs(np.float32(value)) * 2.0**-24


finite = st.floats(-(2.0**100), 2.0**100, width=32)
matrices = arrays.arrays(np.float32, st.tuples(st.just(2), st.integers(1, 20)), elements=finite)


def bound(
    scheme: Integer, values: NDArray[np.float32], found: dict[str, NDArray[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Largest error that is allowed, and which elements are inside the range of their grid.

    Half a step; float32 rounds the quotient (below 256, so 2^-16 of a step) and the product as
    much; with a mean also the difference and the sum.
    """
    step = found["scale"].astype(np.float64)
    wide = values.astype(np.float64)
    mean = found["mean"].astype(np.float64) if "mean" in found else np.zeros_like(step)
    rounding = 2.0**-23 * (np.abs(wide) + np.abs(mean)) if "mean" in found else 0.0
    zero: Any = found["zero_point"].astype(np.float64) if "zero_point" in found else 0.0
    lowest, highest = 0.0, 2.0**scheme.bits - 1
    if scheme.symmetric:
        zero, lowest = 2.0 ** (scheme.bits - 1), 1.0
    low, high = lowest - zero, highest - zero
    inside = (low * step <= wide - mean) & (wide - mean <= high * step)
    return step * (0.5 + 2.0**-15) + rounding, inside


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("bits", range(2, 9))
@settings(deadline=None, max_examples=60)
@given(values=matrices)
def test_inside_the_range_no_element_moves_by_more_than_half_a_step(
    how: How, bits: int, values: NDArray[np.float32]
) -> None:
    scheme = make(bits, "channel", how)
    found = scheme.fit(values, None)
    moved = np.abs(scheme.decode(scheme.encode(values, found), found).astype(np.float64) - values)
    allowed, inside = bound(scheme, values, found)
    assert (moved <= allowed)[inside].all()
    # with a float32 scale nothing is outside by more than the rounding of the scale
    assert (moved <= allowed + 256 * 2.0**-24 * found["scale"])[~inside].all()


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("bits", range(2, 9))
def test_inside_the_range_16_bit_scales_keep_the_bound_too(bits: int, how: How, dtype: str) -> None:
    rng = np.random.default_rng(bits)
    values = (rng.normal(size=(400, 32)) * rng.uniform(0.1, 9, (400, 1))).astype(np.float32)
    scheme = make(bits, "channel", how, dtype)
    found = scheme.fit(values, None)
    codes = scheme.encode(values, found)
    moved = np.abs(scheme.decode(codes, found).astype(np.float64) - values)
    allowed, inside = bound(scheme, values, found)
    assert (moved <= allowed)[inside].all()
    # the rest gets the code at the end of the range
    ends = {1, 2**bits - 1} if scheme.symmetric else {0, 2**bits - 1}
    assert set(codes[~inside].tolist()) <= ends


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_at_8_bits_an_asymmetric_scale_is_rounded_up_so_that_no_extreme_is_clipped(
    dtype: str,
) -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(2000, 16)).astype(np.float32)
    scheme = make(8, "channel", "asymmetric", dtype)
    found = scheme.fit(values, None)
    reach = values.max(axis=1, initial=0).astype(np.float64) - values.min(axis=1, initial=0)
    assert (found["scale"][:, 0] >= (reach / 255).astype(np.float32)).all()
    moved = np.abs(scheme.decode(scheme.encode(values, found), found).astype(np.float64) - values)
    assert (moved <= found["scale"] * (0.5 + 2.0**-15)).all()


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
@pytest.mark.parametrize("bits", range(2, 8))
def test_below_8_bits_an_asymmetric_scale_is_rounded_to_the_nearest(bits: int, dtype: str) -> None:
    rng = np.random.default_rng(bits)
    values = rng.normal(size=(200, 16)).astype(np.float32)
    found = make(bits, "channel", "asymmetric", dtype).fit(values, None)["scale"][:, 0]
    reach = values.max(axis=1, initial=0).astype(np.float64) - values.min(axis=1, initial=0)
    exact = (reach / (2**bits - 1)).astype(np.float32)
    assert np.array_equal(found, exact.astype(NATIVE[dtype]).astype(np.float32))
    assert (found < exact).any()


@pytest.mark.parametrize("bits", range(2, 9))
@settings(deadline=None, max_examples=60)
@given(values=matrices)
def test_the_zero_point_decodes_to_exactly_zero_and_zero_encodes_to_it(
    bits: int, values: NDArray[np.float32]
) -> None:
    values[:, 0] = 0
    scheme = make(bits, "channel", "asymmetric")
    found = scheme.fit(values, None)
    codes = scheme.encode(values, found)
    assert (
        codes[values == 0] == np.broadcast_to(found["zero_point"], codes.shape)[values == 0]
    ).all()
    decoded = scheme.decode(codes, found)
    assert (decoded[values == 0] == 0).all()
    zeros = np.broadcast_to(scheme.zero_codes(found, values.shape[1]), values.shape)
    assert not scheme.decode(np.ascontiguousarray(zeros), found).any()


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_symmetric_zero_code_is_in_the_middle(bits: int) -> None:
    scheme = make(bits, 3, "symmetric")
    found = scheme.fit(dyadic(5, 7), None)
    assert scheme.zero_codes(found, 7).tolist() == [[2 ** (bits - 1)]]
    middle = np.full((5, 7), 2 ** (bits - 1), np.uint8)
    assert not scheme.decode(middle, found).any()


def test_zero_codes_of_ragged_groups_are_those_of_their_groups() -> None:
    values = np.array([[-1, 2, 0, -3, 1]], np.float32)
    scheme = make(4, 3, "asymmetric")
    found = scheme.fit(values, None)
    first, second = found["zero_point"][0].tolist()
    assert first != second
    assert scheme.zero_codes(found, 5).tolist() == [[first] * 3 + [second] * 2]


@pytest.mark.parametrize("bits", range(2, 9))
def test_symmetric_codes_never_use_the_lowest_number(bits: int) -> None:
    values = np.random.default_rng(1).normal(size=(50, 40)).astype(np.float32)
    for how in ("symmetric", "mean"):
        for dtype in DTYPES:
            scheme = make(bits, "channel", how, dtype)
            codes = scheme.encode(values, scheme.fit(values, None))
            assert (codes.min(), codes.max()) == (1, 2**bits - 1)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("bits", range(2, 9))
def test_huge_values_go_through_float32_scales_without_a_warning(how: How, bits: int) -> None:
    values = np.array([[3e38, -3e38, 1e38, 0], [3.4e38, 3.4e38, 3.3e38, 3.4e38]], np.float32)
    scheme = make(bits, "channel", how)
    found = scheme.fit(values, None)
    decoded = scheme.decode(scheme.encode(values, found), found).astype(np.float64)
    allowed, inside = bound(scheme, values, found)
    outside = allowed + 256 * 2.0**-24 * found["scale"]
    reached = np.clip(decoded, -float(floats.F32_MAX), float(floats.F32_MAX))
    assert (np.abs(reached - values) <= np.where(inside, allowed, outside)).all()


def test_deviations_beyond_float32_are_an_error_and_no_warning() -> None:
    values = np.array([[3.4e38, -3.4e38, -3.4e38, -3.4e38]], np.float32)
    with pytest.raises(UnsupportedError, match="a scale of its groups does not fit F32") as info:
        make(4, "channel", "mean").fit(values, None)
    assert info.value.hint == "pass --center none"
    make(4, "channel", "symmetric").fit(values, None)


@pytest.mark.parametrize(
    ("how", "dtype", "row"),
    [
        ("symmetric", "F16", [65505.0, 0.0]),
        ("symmetric", "BF16", [3.4e38, 0.0]),
        ("asymmetric", "F16", [100_000.0, -100_000.0]),
        ("mean", "F16", [70_000.0, 70_000.0]),
        ("mean", "F16", [140_000.0, -20_000.0]),
        ("mean", "BF16", [-3.4e38, -3.4e38]),
    ],
)
def test_what_does_not_fit_16_bits_names_the_option_that_helps(
    how: How, dtype: str, row: list[float]
) -> None:
    values = np.array([[1.0, -1.0], row], np.float32)
    with pytest.raises(UnsupportedError, match=f"does not fit {dtype}") as info:
        make(2, "channel", how, dtype).fit(values, None)
    assert info.value.hint == "pass --scale-dtype f32"
    make(2, "channel", how).fit(values, None)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", HOWS)
def test_denormal_values_have_the_smallest_scale_and_keep_zeros(how: How, dtype: str) -> None:
    tiny = np.float32(2.0**-149)
    values = np.array([[tiny, -tiny * 100, 0, tiny * 3000]], np.float32)
    scheme = make(8, "channel", how, dtype)
    found = scheme.fit(values, None)
    assert found["scale"].tolist() == [[SMALLEST[dtype]]]
    decoded = scheme.decode(scheme.encode(values, found), found)
    # the mean of such values is denormal too, and is added back
    assert np.abs(decoded.astype(np.float64) - values).max() <= SMALLEST[dtype] / 2 + 2.0**-137
    if how != "mean":
        assert decoded[0, 2] == 0


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("size", [3, "channel", "tensor"])
def test_no_rows_have_no_codes(how: How, size: GroupSize) -> None:
    nothing = np.zeros((0, 5), np.float32)
    scheme = make(4, size, how)
    found = scheme.fit(nothing, None)
    codes = scheme.encode(nothing, found)
    assert codes.shape == (0, 5)
    assert scheme.decode(codes, found).shape == (0, 5)


@pytest.mark.parametrize("how", HOWS)
def test_nothing_writes_into_its_arguments(how: How) -> None:
    values = dyadic(6, 8)
    mask = values > 1
    values[mask] = 0
    scheme = make(4, 4, how)
    kept = values.copy(), mask.copy()
    found = scheme.fit(values, mask)
    codes = scheme.encode(values, found)
    before = codes.copy(), {key: value.copy() for key, value in found.items()}
    scheme.decode(codes, found)[:] = 7
    assert np.array_equal(values, kept[0])
    assert np.array_equal(mask, kept[1])
    assert np.array_equal(codes, before[0])
    assert all(np.array_equal(found[key], before[1][key]) for key in found)


@pytest.mark.parametrize("how", HOWS)
def test_one_group_for_the_whole_tensor_is_shared_by_all_rows(how: How) -> None:
    values = dyadic(5, 6)
    scheme = make(5, "tensor", how)
    flat = make(5, "channel", how)
    found = flat.fit(values.reshape(1, -1), None)
    assert found["scale"].shape == (1, 1)
    codes = scheme.encode(values, found)
    assert np.array_equal(codes.reshape(1, -1), flat.encode(values.reshape(1, -1), found))
    decoded = scheme.decode(codes, found)
    assert np.array_equal(decoded.reshape(1, -1), flat.decode(codes.reshape(1, -1), found))
