"""The pass that gives tensors their codes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.errors import UnsupportedError, UsageError
from compress_core.fitting import Fitting
from compress_core.kernels import floats
from compress_core.kernels.sums import ordered_sum
from compress_core.limits import Limits
from compress_core.passes.base import Settled, Target
from compress_core.passes.prune import Prune
from compress_core.passes.quantize import Quantize
from compress_core.schemes.base import Scheme
from compress_core.schemes.binary import Binary
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.integer import Integer
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.nf4 import Nf4
from compress_core.schemes.nf4_double import Nf4Double
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.schemes.ternary import Ternary
from compress_core.tensors import Form, Refusal, Structure, TensorInfo
from compress_core.tiles import Tile

CarryOut = Callable[..., dict[str, Tile]]
TilesAfter = Callable[..., list[Tile]]


def info(code: str = "F32", shape: tuple[int, ...] = (6, 8), name: str = "w") -> TensorInfo:
    """A tensor by its header."""
    return TensorInfo(name, DTYPES[code], shape, 0)


def scheme_of(work: Quantize, code: str = "F32") -> Scheme:
    """The scheme that a tensor of a format gets."""
    form = work.becomes(info(code), Form(DTYPES[code]), Limits())
    assert isinstance(form, Form)
    assert form.scheme is not None
    return form.scheme


def normal(rows: int, columns: int, code: str = "F32") -> NDArray[Any]:
    """Random elements of a format."""
    values = np.random.default_rng(rows).normal(size=(rows, columns)).astype(np.float32)
    return floats.narrow(values, code)


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({}, "bits"),
        ({"bits": 0}, "bits"),
        ({"bits": 9}, "bits"),
        ({"bits": 4.5}, "bits"),
        ({"bits": True}, "bits"),
        ({"bits": 4, "group_size": 0}, "group_size"),
        ({"bits": 4, "group_size": "row"}, "group_size"),
        ({"bits": 4, "center": "mean", "symmetric": False}, "center"),
        ({"preset": "W4A16_ASYM", "center": "mean"}, "center"),
        ({"bits": 1, "symmetric": False}, "symmetric"),
        ({"bits": 1, "symmetric": False, "center": "none"}, "symmetric"),
        ({"preset": "W4A16_ASYM", "bits": 1, "center": "none"}, "symmetric"),
        ({"bits": 4, "scale_dtype": "f64"}, "scale_dtype"),
        ({"bits": 4, "scale_search": "all"}, "scale_search"),
        ({"bits": 4, "scale_rule": "mlx"}, "scale_rule"),
        ({"bits": 1, "scale_rule": "compressed-tensors"}, "scale_rule"),
        ({"bits": 4, "center": "mean", "scale_rule": "compressed-tensors"}, "scale_rule"),
        ({"scheme": "fp8", "scale_rule": "bitsandbytes"}, "scale_rule"),
        ({"scheme": "integer"}, "bits"),
        ({"scheme": "integer", "bits": 1}, "bits"),
        ({"scheme": "nf4", "bits": 3}, "bits"),
        ({"scheme": "fp9"}, "scheme"),
        ({"scheme": "nvfp4", "scale_dtype": "f32"}, "scale_dtype"),
        ({"bits": 4, "element": "e4m3"}, "element"),
        ({"bits": 4, "double_quant": True}, "double_quant"),
        ({"preset": "MXFP4A16", "double_quant": True}, "double_quant"),
        ({"scheme": "nf4-double", "double_quant": False}, "double_quant"),
        ({"scheme": "nf4", "double_quant": True, "scale_dtype": "f32"}, "scale_dtype"),
        ({"preset": "W4A8"}, "preset"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as error:
        Quantize(**options)
    # a mean is the default of one bit, and then `center` is what has to be said
    assert error.value.where in (where, "center")
    assert error.value.hint


@pytest.mark.parametrize(
    ("options", "scheme"),
    [
        ({"bits": 4}, Integer(bits=4, group_size="channel")),
        ({"bits": 8, "group_size": 32}, Integer(bits=8, group_size=32, scale_dtype="F16")),
        ({"bits": 3, "group_size": "tensor"}, Integer(bits=3, group_size="tensor")),
        ({"bits": 2, "symmetric": False}, Integer(bits=2, group_size="channel", symmetric=False)),
        ({"bits": 5, "center": "mean"}, Integer(bits=5, group_size="channel", center="mean")),
        ({"bits": 1}, Binary(bits=1, group_size="channel", center="mean")),
        ({"bits": 1, "center": "none"}, Binary(bits=1, group_size="channel", center="none")),
        (
            {"bits": 4, "group_size": 8, "scale_dtype": "bf16"},
            Integer(bits=4, group_size=8, scale_dtype="BF16"),
        ),
        ({"preset": "W3A16"}, Integer(bits=3, group_size=128, scale_dtype="F16")),
        ({"preset": "w4a16"}, Integer(bits=4, group_size=128, scale_dtype="F16")),
        (
            {"preset": "W4A16_ASYM"},
            Integer(bits=4, group_size=128, symmetric=False, scale_dtype="F16"),
        ),
        (
            {"preset": "W4A16", "group_size": "channel", "bits": 6},
            Integer(bits=6, group_size="channel"),
        ),
        ({"preset": "W4A16_ASYM", "symmetric": True}, Integer(4, 128, scale_dtype="F16")),
        ({"scheme": "int", "bits": 4}, Integer(bits=4, group_size="channel")),
        ({"scheme": "binary"}, Binary(bits=1, group_size="channel", center="mean")),
        ({"scheme": "ternary"}, Ternary(bits=2, group_size="channel")),
        ({"scheme": "fp8", "element": "e5m2"}, Fp8(8, "channel", "e5m2")),
        ({"preset": "fp8_dynamic"}, Fp8(8, "channel")),
        ({"preset": "NF4"}, Nf4(4, 64, "F16")),
        ({"preset": "NF4", "scale_dtype": "f32"}, Nf4(4, 64)),
        ({"scheme": "nf4", "double_quant": True}, Nf4Double(4, 64)),
        ({"scheme": "nf4", "double_quant": False}, Nf4(4, 64, "F16")),
        ({"scheme": "nf4-double", "group_size": 128}, Nf4Double(4, 128)),
        ({"preset": "NF4", "double_quant": True}, Nf4Double(4, 64)),
        ({"bits": 4, "double_quant": False}, Integer(bits=4, group_size="channel")),
        ({"scheme": "mxfp4"}, Mxfp4(4, 32)),
        ({"preset": "nvfp4a16"}, Nvfp4(4, 16)),
    ],
)
def test_options_and_presets_give_a_scheme(options: dict[str, Any], scheme: Scheme) -> None:
    assert scheme_of(Quantize(**options)) == scheme


@pytest.mark.parametrize(
    ("code", "grouped"), [("F32", "F16"), ("F64", "F16"), ("F16", "F16"), ("BF16", "BF16")]
)
def test_scales_are_float32_and_of_groups_16_bits(code: str, grouped: str) -> None:
    for options, expected in (
        ({"bits": 4}, "F32"),
        ({"bits": 4, "group_size": "tensor"}, "F32"),
        ({"bits": 4, "group_size": 32}, grouped),
        ({"bits": 1, "group_size": 32}, grouped),
        ({"bits": 4, "group_size": 32, "scale_dtype": "f32"}, "F32"),
    ):
        scheme = scheme_of(Quantize(**options), code)
        assert scheme.parameters()["scale"].dtype == expected


@pytest.mark.parametrize(
    ("options", "limits", "reason"),
    [
        ({"bits": 3}, Limits(bits=(4, 8)), "no 3-bit codes"),
        ({"bits": 1}, Limits(bits=(4, 8)), "no 1-bit codes"),
        ({"bits": 4, "symmetric": False}, Limits(zero_point=False), "no zero point"),
        ({"bits": 4, "center": "mean"}, Limits(center=False), "no group means"),
        ({"bits": 1}, Limits(center=False), "no group means"),
        ({"bits": 4, "scale_dtype": "f32"}, Limits(scale_dtypes=("F16",)), "no F32 scales"),
        ({"bits": 4, "group_size": 3}, Limits(ragged_groups=False), "no multiple"),
        ({"scheme": "nf4"}, Limits(schemes=("integer", "fp8")), "no nf4 codes"),
        ({"scheme": "nf4-double"}, Limits(schemes=("integer", "nf4")), "no nf4-double codes"),
        ({"scheme": "nvfp4"}, Limits(scale_dtypes=("F32", "F16")), "no F8_E4M3 scales"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused_with_its_reason(
    options: dict[str, Any], limits: Limits, reason: str
) -> None:
    work = Quantize(**options)
    refused = work.becomes(info(), Form(DTYPES["F32"]), limits)
    assert isinstance(refused, Refusal)
    assert refused.name == "w"
    assert reason in refused.reason
    assert isinstance(work.becomes(info(), Form(DTYPES["F32"]), Limits()), Form)


@pytest.mark.parametrize(("held", "expected"), [(("F16", "F32"), "F32"), (("F16",), "F16")])
def test_a_layout_that_does_not_hold_the_usual_scales_gets_those_that_it_prefers(
    held: tuple[str, ...], expected: str
) -> None:
    form = Quantize(bits=4).becomes(info(), Form(DTYPES["F32"]), Limits(scale_dtypes=held))
    assert isinstance(form, Form)
    assert form.scheme is not None
    assert form.scheme.parameters()["scale"].dtype == expected


def test_groups_that_divide_the_row_are_not_ragged() -> None:
    limits = Limits(ragged_groups=False)
    for size in (1, 4, 8, "channel", "tensor"):
        work = Quantize(bits=4, group_size=size)
        assert isinstance(work.becomes(info(), Form(DTYPES["F32"]), limits), Form)


def test_a_pruned_form_keeps_its_zeros() -> None:
    pruned = Form(DTYPES["F32"], None, Structure("nofm", 2, 4), 24)
    form = Quantize(bits=4).becomes(info(), pruned, Limits())
    assert form == Form(DTYPES["F32"], Integer(4, "channel"), Structure("nofm", 2, 4), 24)


def test_two_passes_cannot_quantize_one_tensor() -> None:
    once = Form(DTYPES["F32"], Integer(4, "channel"))
    with pytest.raises(UsageError, match="two passes quantize w"):
        Quantize(bits=3).becomes(info(), once, Limits())


def test_only_a_scale_for_the_tensor_needs_a_survey() -> None:
    for size, group in ((32, None), ("channel", None), ("tensor", "w")):
        assert Quantize(bits=4, group_size=size).group(info()) == group
    assert Quantize(scheme="nvfp4").group(info()) == "w"


CONFIGS: list[dict[str, Any]] = [
    {"bits": 4},
    {"bits": 8, "symmetric": False},
    {"bits": 3, "center": "mean"},
    {"bits": 1},
    {"bits": 1, "center": "none"},
]


@pytest.mark.parametrize("code", ["F32", "BF16", "F16", "F64"])
@pytest.mark.parametrize("options", CONFIGS)
@pytest.mark.parametrize("prune", [False, True])
def test_one_scale_for_the_tensor_is_fitted_to_all_of_it(
    tiles_after: TilesAfter, options: dict[str, Any], code: str, prune: bool
) -> None:
    raw = normal(20, 7, code)
    passes = [Prune(sparsity=0.4, method="random")] if prune else []
    work = Quantize(group_size="tensor", scale_search="none", **options)
    # one grain: sums of one piece
    pieces = tiles_after([*passes, work], {"w": (code, raw)}, "w", grain=32)
    before = tiles_after(passes, {"w": (code, raw)}, "w", grain=32)[0]
    flat = Quantize(group_size="channel", **options)
    scheme = scheme_of(flat, code)
    mask = None if before.mask is None else before.mask.reshape(1, -1)
    whole = scheme.fit(before.values.reshape(1, -1), mask)
    (tile,) = pieces
    assert tile.codes is not None
    assert tile.codes.parameters.keys() == whole.keys()
    for name, expected in whole.items():
        found = tile.codes.parameters[name]
        assert found.dtype == expected.dtype
        assert found.tolist() == expected.tolist()
    codes = scheme.encode(before.values.reshape(1, -1), whole).reshape(20, 7)
    if mask is not None:
        zero = 1 << (scheme.bits - 1) if scheme.bits > 1 else 0
        codes[before.mask] = whole["zero_point"][0, 0] if "zero_point" in whole else zero
    assert np.array_equal(tile.codes.codes, codes)


@pytest.mark.parametrize("options", CONFIGS)
@pytest.mark.parametrize("grains", [1, 2, 3, 100])
def test_sums_of_grains_are_added_in_order_whatever_the_tiles(
    tiles_after: TilesAfter, options: dict[str, Any], grains: int
) -> None:
    raw = normal(23, 7) * np.float32(1000.1)
    work = Quantize(group_size="tensor", scale_search="none", **options)
    tiles = tiles_after([work], {"w": ("F32", raw)}, "w", grain=4, grains=grains)
    whole = tiles_after([work], {"w": ("F32", raw)}, "w", grain=4)
    assert all(tile.codes is not None for tile in tiles)
    one = [tile.codes.parameters for tile in (*tiles, *whole) if tile.codes is not None]
    for found in one:
        assert {name: value.tolist() for name, value in found.items()} == {
            name: value.tolist() for name, value in one[0].items()
        }
    codes = np.concatenate([tile.codes.codes for tile in tiles if tile.codes is not None])
    assert np.array_equal(
        codes, np.concatenate([t.codes.codes for t in whole if t.codes is not None])
    )
    middle = np.float32(0)
    if "mean" in one[0]:
        middle = np.float32(in_order(raw) / raw.size)
        assert one[0]["mean"].tolist() == [[middle]]
    if options["bits"] == 1:
        expected = np.float32(in_order(np.abs(raw - middle)) / raw.size)
    elif "symmetric" in options:
        expected = np.float32((float(raw.max()) - float(raw.min())) / 255)
    else:
        expected = np.abs(raw - middle).max() / np.float32(2 ** (options["bits"] - 1) - 1)
    assert one[0]["scale"].tolist() == [[expected]]


def in_order(values: NDArray[np.float32]) -> float:
    """A sum, grain by grain of 4 rows."""
    total = 0.0
    for first in range(0, len(values), 4):
        total += float(ordered_sum(values[first : first + 4].reshape(-1)))
    return total


@pytest.mark.parametrize("options", CONFIGS)
@pytest.mark.parametrize("size", [3, "channel"])
def test_rows_are_fitted_alone_so_tiles_do_not_matter(
    carry_out: CarryOut, options: dict[str, Any], size: int | str
) -> None:
    tensors = {"w": ("BF16", normal(9, 8, "BF16")), "v": ("F64", normal(5, 4, "F64"))}
    passes = [Prune(sparsity=0.3), Quantize(group_size=size, **options)]
    one = carry_out(passes, tensors, grain=1)
    for grains in (2, 9):
        other = carry_out(passes, tensors, grain=1, grains=grains)
        for name in tensors:
            assert np.array_equal(one[name].values, other[name].values)


def test_float64_is_fitted_as_float32(carry_out: CarryOut) -> None:
    raw = np.random.default_rng(0).normal(size=(4, 16))
    for options in CONFIGS:
        work = Quantize(**options)
        wide = carry_out([work], {"w": ("F64", raw)})["w"].values
        narrow = carry_out([work], {"w": ("F32", raw.astype(np.float32))})["w"].values
        assert np.array_equal(wide, narrow)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(CONFIGS), st.integers(0, 2**32 - 1))
def test_pruned_elements_change_no_parameter_and_decode_to_zero(
    carry_out: CarryOut, options: dict[str, Any], seed: int
) -> None:
    # sums of such numbers, and of their distances from a mean, are exact in any order
    raw = (np.random.default_rng(seed).integers(-200, 201, (3, 12)) / 64).astype(np.float32)
    work = Quantize(group_size="channel", scale_search="none", **options)
    passes = [Prune(structure="2of4"), work]
    tile = carry_out(passes, {"w": ("F32", raw)})["w"]
    assert tile.mask is not None
    kept = raw[~tile.mask].reshape(3, 6)
    alone = carry_out([work], {"w": ("F32", kept)})["w"]
    assert not tile.values[tile.mask].any()
    assert np.array_equal(tile.values[~tile.mask].reshape(3, 6), alone.values)


def test_a_scale_that_does_not_fit_is_said_while_tiles_are_fitted(carry_out: CarryOut) -> None:
    raw = np.full((2, 64), 1e6, np.float32)
    with pytest.raises(UnsupportedError, match="does not fit F16") as error:
        carry_out([Quantize(bits=4, group_size=32)], {"w": ("F32", raw)})
    assert error.value.hint == "pass --scale-dtype f32"
    carry_out([Quantize(bits=4, group_size=32, scale_dtype="f32")], {"w": ("F32", raw)})


SEARCHED: list[dict[str, Any]] = [
    *CONFIGS[:3],
    {"scheme": "ternary"},
    {"scheme": "fp8"},
    {"scheme": "nf4"},
    {"scheme": "mxfp4"},
    {"scheme": "nvfp4"},
]


def squared(tiles: list[Tile], raw: NDArray[np.float32]) -> float:
    decoded = np.concatenate([tile.values for tile in tiles])
    return float(np.square(decoded.astype(np.float64) - raw).sum())


@pytest.mark.parametrize("options", SEARCHED)
def test_the_scale_of_a_tensor_is_searched_for_in_one_more_round(
    tiles_after: TilesAfter, options: dict[str, Any]
) -> None:
    raw = np.random.default_rng(5).standard_t(3, (40, 30)).astype(np.float32)
    error = {}
    for search in ("none", "mse"):
        work = Quantize(group_size="tensor", scale_search=search, **options)
        cut = [
            tiles_after([work], {"w": ("F32", raw)}, "w", grain=4, grains=grains)
            for grains in (1, 3, 100)
        ]
        found = [[tile.codes for tile in tiles] for tiles in cut]
        first = found[0][0]
        assert first is not None
        for one in (one for tiles in found for one in tiles):
            assert one is not None
            assert {key: value.tolist() for key, value in one.parameters.items()} == {
                key: value.tolist() for key, value in first.parameters.items()
            }
        error[search] = squared(cut[0], raw)
    assert error["mse"] <= error["none"]
    assert error["mse"] < error["none"] or options in CONFIGS


@pytest.mark.parametrize("options", SEARCHED)
@pytest.mark.parametrize("size", [16, "channel", "tensor"])
def test_a_layout_without_negative_scales_gets_none(
    options: dict[str, Any], size: int | str
) -> None:
    raw = np.abs(np.random.default_rng(5).standard_t(3, (20, 32))).astype(np.float32)
    work = Quantize(group_size=size, **options)
    form = work.becomes(info(shape=raw.shape), Form(DTYPES["F32"]), Limits())
    assert isinstance(form, Form)
    signs = []
    for negative in (False, True):
        limits = Limits(negative_scale=negative)
        target = Target(info(shape=raw.shape), Form(DTYPES["F32"]), form, limits)
        found = work.survey([target], None) if work.group(target.info) else None
        while found is not None:
            found.absorb(target.info, 0, found.observe(Tile(target.info, 0, raw, 4)))
            further = work.survey([target], found)
            if further is None:
                break
            found = further
        tile = Tile(target.info, 0, raw, 4)
        settled = work.settle([target], found)
        assert isinstance(settled, Settled)
        settled.apply(tile)
        assert tile.codes is not None
        signs.append(bool((tile.codes.parameters["scale"] < 0).any()))
    assert not signs[0]
    assert signs[1] or size != 16 or options not in (CONFIGS[0], {"scheme": "nf4"})


def test_a_rule_of_a_preset_gives_way_where_it_has_no_formula() -> None:
    raw = normal(6, 128)
    for preset, options, rule in (
        ("W4A16", {}, "compressed-tensors"),
        ("W4A16", {"center": "mean"}, "absmax"),
        ("W4A16", {"bits": 1}, "absmax"),
        ("W4A16", {"scale_rule": "absmax"}, "absmax"),
    ):
        given: dict[str, Any] = {"scale_search": "none", **options}
        with_preset = Quantize(preset=preset, **given)
        target = Target(
            info(shape=raw.shape),
            Form(DTYPES["F32"]),
            Form(DTYPES["F32"], scheme_of(with_preset)),
        )
        tile = Tile(target.info, 0, raw, 6)
        settled = with_preset.settle([target], None)
        assert isinstance(settled, Settled)
        settled.apply(tile)
        assert tile.codes is not None
        scheme = tile.codes.scheme
        known = scheme.fit(raw, None, Fitting(rule))
        assert tile.codes.parameters["scale"].tolist() == known["scale"].tolist()
