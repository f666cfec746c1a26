"""Formats of small floats and tables, one group and one number at a time."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.errors import FormatError
from compress_core.fitting import Fitting
from compress_core.kernels.codebooks import NF4
from compress_core.schemes.base import GroupSize, Parameter, Scheme
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.mxfp8 import Mxfp8
from compress_core.schemes.nf4 import Nf4
from compress_core.schemes.nf4_double import Nf4Double
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.schemes.ternary import Ternary

Floats = NDArray[np.float32]
NATIVE: dict[str, Any] = {
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
}


def stored(value: float, dtype: str) -> np.float32:
    return np.float32(np.float32(value).astype(NATIVE[dtype]))


def values(rows: int = 5, columns: int = 70) -> Floats:
    drawn = np.random.default_rng(rows).standard_t(4, (rows, columns)).astype(np.float32)
    drawn[0, :32] = 0
    return drawn


def pieces(given: Floats, scheme: Scheme) -> list[tuple[int, int, Floats]]:
    """(row, group, values) of every group."""
    width = scheme.width(given.shape[1])
    starts = range(0, given.shape[1], width)
    return [
        (row, place, given[row, first : first + width])
        for row in range(len(given))
        for place, first in enumerate(starts)
    ]


def decoded(scheme: Scheme, given: Floats, search: str = "none") -> tuple[dict[str, Any], Floats]:
    fitting = Fitting(search=search)
    found = scheme.fit(given, None, fitting)
    return found, scheme.decode(scheme.encode(given, found, fitting), found)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("element", ["e4m3", "e5m2"])
@pytest.mark.parametrize("size", [16, "channel"])
def test_fp8(size: GroupSize, element: Any, dtype: str) -> None:
    scheme = Fp8(8, size, element, dtype)
    given = values()
    found, back = decoded(scheme, given)
    largest = {"e4m3": 448.0, "e5m2": 57344.0}[element]
    for row, place, group in pieces(given, scheme):
        amax = np.abs(group).max()
        scale = stored(amax / np.float32(largest), dtype) if amax else np.float32(1)
        assert found["scale"][row, place] == scale
        numbers = np.clip(group / scale, -largest, largest).astype(NATIVE[element])
        width = scheme.width(70)
        here = back[row, place * width : (place + 1) * width]
        assert here.tolist() == (numbers.astype(np.float32) * scale).tolist()


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_nf4(dtype: str) -> None:
    scheme = Nf4(4, 16, dtype)
    given = values()
    found, back = decoded(scheme, given)
    for row, place, group in pieces(given, scheme):
        amax = np.abs(group).max()
        scale = stored(amax, dtype) if amax else np.float32(1)
        assert found["scale"][row, place] == scale
        nearest = NF4[np.abs((group / scale)[:, None] - NF4).argmin(axis=1)]
        assert back[row, place * 16 : (place + 1) * 16].tolist() == (nearest * scale).tolist()


def test_mxfp4() -> None:
    scheme = Mxfp4(4, 32)
    given = values()
    found, back = decoded(scheme, given)
    for row, place, group in pieces(given, scheme):
        amax = float(np.abs(group).max())
        mantissa, exponent = np.frexp(amax)  # mantissa from 0.5
        scale = 2.0 ** (exponent - 3 + (mantissa >= 0.875)) if amax else 1.0
        assert found["scale"][row, place] == scale
        numbers = np.clip(group / np.float32(scale), -6, 6).astype(ml_dtypes.float4_e2m1fn)
        known = numbers.astype(np.float32) * np.float32(scale)
        assert back[row, place * 32 : (place + 1) * 32].tolist() == known.tolist()


def test_mxfp8() -> None:
    scheme = Mxfp8(8, 32)
    given = values()
    found, back = decoded(scheme, given)
    for row, place, group in pieces(given, scheme):
        amax = float(np.abs(group).max())
        mantissa, exponent = np.frexp(amax)  # mantissa from 0.5
        scale = 2.0 ** (exponent - 9 + (mantissa >= 0.875)) if amax else 1.0
        assert found["scale"][row, place] == scale
        numbers = stored(np.clip(group / np.float32(scale), -448, 448), "e4m3")
        known = numbers * np.float32(scale)
        assert back[row, place * 32 : (place + 1) * 32].tolist() == known.tolist()


@pytest.mark.parametrize(("scheme", "most"), [(Mxfp4(4, 32), 6), (Mxfp8(8, 32), 448)])
def test_by_the_rule_of_mlx_a_power_of_two_clips_nothing(scheme: Scheme, most: float) -> None:
    given = values()
    found = scheme.fit(given, None, Fitting("mlx"))
    for row, place, group in pieces(given, scheme):
        amax, scale = np.abs(group).max(), found["scale"][row, place]
        assert scale == 1 if amax == 0 else scale / 2 * most < amax <= scale * most


def test_nvfp4_without_a_global_scale() -> None:
    scheme = Nvfp4(4, 16, global_scale=False)
    given = values()
    found, back = decoded(scheme, given)
    assert scheme.surveys == 0
    assert scheme.parameters().keys() == found.keys() == {"scale"}
    for row, place, group in pieces(given, scheme):
        amax = np.abs(group).max()
        scale = max(stored(amax / np.float32(6), "e4m3"), np.float32(2.0**-9)) if amax else 1
        assert found["scale"][row, place] == scale
        numbers = np.clip(group / scale, -6, 6).astype(ml_dtypes.float4_e2m1fn).astype(np.float32)
        assert back[row, place * 16 : (place + 1) * 16].tolist() == (numbers * scale).tolist()


def test_by_the_rule_of_mlx_a_group_of_tiny_numbers_is_zeros() -> None:
    scheme, rule = Nvfp4(4, 16, global_scale=False), Fitting("mlx")
    tiny = np.full((1, 16), 1e-3, np.float32)
    found = scheme.fit(tiny, None, rule)
    assert found["scale"].tolist() == [[0]]
    assert not scheme.decode(scheme.encode(tiny, found, rule), found).any()


def test_records_of_nvfp4_say_nothing_of_the_global_scale_that_all_had() -> None:
    assert Nvfp4(4, 16).settings() == {"scheme": "nvfp4", "bits": 4, "group_size": 16}
    assert Nvfp4.restored({"bits": 4, "group_size": 16}) == Nvfp4(4, 16)
    without = Nvfp4(4, 16, global_scale=False)
    assert without.settings()["global_scale"] is False
    assert Nvfp4.restored(without.settings()) == without


@pytest.mark.parametrize("search", ["none", "mse"])
def test_nvfp4(search: str) -> None:
    scheme = Nvfp4(4, 16)
    given = values()
    found, back = decoded(scheme, given, search)
    shared = np.float32(1) / np.abs(given).max() * np.float32(2688)
    assert found["global_scale"].tolist() == [[shared]]
    for row, place, group in pieces(given, scheme):
        amax = np.abs(group).max()
        known = stored(shared * (amax / np.float32(6)), "e4m3") if amax else np.float32(1)
        scale = found["scale"][row, place]
        assert scale == known or (search == "mse" and 0.6 <= scale / known <= 1.7)
        unit = scale / shared
        numbers = np.clip(group / unit, -6, 6).astype(ml_dtypes.float4_e2m1fn).astype(np.float32)
        assert back[row, place * 16 : (place + 1) * 16].tolist() == (numbers * unit).tolist()


def test_the_largest_scale_of_nvfp4_is_the_largest_there_is() -> None:
    for size in (1e-30, 1e-3, 1.0, 1e30):
        found = Nvfp4(4, 16).fit(values() * np.float32(size), None)
        assert found["scale"].max() == 448


@pytest.mark.parametrize("size", [10, "channel"])
def test_ternary(size: GroupSize) -> None:
    scheme = Ternary(2, size)
    given = values()
    found, back = decoded(scheme, given)
    for row, place, group in pieces(given, scheme):
        sizes = np.abs(group).astype(np.float64)
        above = sizes[sizes > np.float32(sizes.mean()) * np.float32(0.7)]
        scale = np.float32(above.mean()) if above.size else np.float32(1)
        assert np.isclose(found["scale"][row, place], scale, rtol=1e-6)
    units = back / np.repeat(found["scale"], scheme.width(70), axis=1)[:, :70]
    assert set(np.unique(units)) == {-1, 0, 1}


SCHEMES: list[tuple[Scheme, str, list[str]]] = [
    (Ternary(2, "channel"), "ternary channel", ["scale F32"]),
    (Fp8(8, "channel"), "fp8 channel", ["scale F32"]),
    (Fp8(8, 128, "e5m2", "BF16"), "fp8 g128 e5m2", ["scale BF16"]),
    (Nf4(4, 64, "F16"), "nf4 g64", ["scale F16"]),
    (Nf4Double(4, 64), "nf4 g64 dq", ["scale U8", "nested_absmax F32", "nested_offset F32"]),
    (Mxfp4(4, 32), "mxfp4 g32", ["scale U8"]),
    (Mxfp8(8, 32), "mxfp8 g32", ["scale U8"]),
    (Nvfp4(4, 16), "nvfp4 g16", ["scale U8", "global_scale F32"]),
    (Nvfp4(4, 16, global_scale=False), "nvfp4 g16", ["scale U8"]),
]


@pytest.mark.parametrize(("scheme", "said", "parts"), SCHEMES)
def test_what_it_is_called_and_what_is_stored(scheme: Scheme, said: str, parts: list[str]) -> None:
    assert str(scheme) == said
    assert [f"{name} {kind.stored}" for name, kind in scheme.parameters().items()] == parts
    assert scheme.holds_zero
    assert type(scheme).restored(scheme.settings()) == scheme


@pytest.mark.parametrize(
    ("scheme", "name", "value"),
    [
        (Ternary(2, 8), "bits", 3),
        (Ternary(2, 8), "scale_dtype", "F8_E4M3"),
        (Fp8(8, 8), "element", "e3m4"),
        (Fp8(8, 8), "element", []),
        (Fp8(8, 8), "bits", 4),
        (Nf4(4, 8), "bits", 2),
        (Mxfp4(4, 32), "bits", 8),
        (Mxfp4(4, 32), "group_size", 0),
        (Mxfp8(8, 32), "bits", 4),
        (Nvfp4(4, 16), "bits", True),
        (Nvfp4(4, 16), "global_scale", 1),
    ],
)
def test_settings_that_are_never_written_are_refused(scheme: Scheme, name: str, value: Any) -> None:
    with pytest.raises(FormatError):
        type(scheme).restored({**scheme.settings(), name: value})


@pytest.mark.parametrize(
    ("scheme", "code"),
    [
        (Ternary(2, 8), 3),
        (Mxfp8(8, 8), 0x7F),
        (Fp8(8, 8), 0x7F),
        (Fp8(8, 8), 0xFF),
        (Fp8(8, 8, "e5m2"), 0x7C),
    ],
)
def test_a_code_that_is_no_number_is_refused(scheme: Scheme, code: int) -> None:
    found = scheme.fit(np.ones((1, 8), np.float32), None)
    with pytest.raises(FormatError):
        scheme.decode(np.full((1, 8), code, np.uint8), found)


@pytest.mark.parametrize("wrong", [0.0, -0.0, -1.0])
def test_a_global_scale_divides_so_it_is_above_zero(wrong: float) -> None:
    scheme = Nvfp4(4, 16)
    found = scheme.fit(np.ones((1, 16), np.float32), None)
    with pytest.raises(FormatError, match="global scale"):
        scheme.decode(
            np.ones((1, 16), np.uint8), found | {"global_scale": np.array([[wrong]], np.float32)}
        )


def test_an_8_bit_parameter_is_stored_as_plain_bytes() -> None:
    assert Parameter(dtype="F8_E8M0").stored == Parameter(bits=3).stored == "U8"
    assert Parameter(dtype="BF16").stored == "BF16"
