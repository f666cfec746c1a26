"""The formulas of compressed-tensors and bitsandbytes, number for number, on float32 weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.fitting import Fitting
from compress_core.kernels.dynamic import DYNAMIC, binned_codes
from compress_core.limits import Limits
from compress_core.passes.base import Settled, Target
from compress_core.passes.quantize import Quantize
from compress_core.schemes.nf4 import Nf4
from compress_core.schemes.nf4_double import Nf4Double
from compress_core.tensors import Form, TensorInfo
from compress_core.tiles import Quantized, Tile

pytestmark = pytest.mark.oracle

Floats = NDArray[np.float32]


def weights(seed: int, shape: tuple[int, int] = (48, 256)) -> Floats:
    """Normal numbers with rows of zeros, of one sign, of ties and of widely different sizes."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape) * np.exp(rng.uniform(-6, 2, (shape[0], 1)))
    values[0] = 0
    values[1] = np.abs(values[1])
    values[2] = -np.abs(values[2])
    values[3] = rng.integers(-15, 16, shape[1]) / 2
    values[4, ::3] = 0
    values[5] = rng.standard_t(2, shape[1])
    return values.astype(np.float32)


def quantized(values: Floats, **options: Any) -> Quantized:
    """What the pass makes of a matrix."""
    work = Quantize(scale_search="none", **options)
    info = TensorInfo("w", DTYPES["F32"], values.shape, values.nbytes)
    form = work.becomes(info, Form(info.dtype), Limits())
    assert isinstance(form, Form)
    target = Target(info, Form(info.dtype), form)
    found = work.survey([target], None) if work.group(info) else None
    while found is not None:
        found.absorb(info, 0, found.observe(Tile(info, 0, values, len(values))))
        further = work.survey([target], found)
        if further is None:
            break
        found = further
    tile = Tile(info, 0, values, len(values))
    settled = work.settle([target], found)
    assert isinstance(settled, Settled)
    settled.apply(tile)
    assert tile.codes is not None
    return tile.codes


@dataclass(frozen=True)
class Theirs:
    """What compressed-tensors computes.

    :ivar scale: (rows, groups); ``numbers``: what codes stand for before they are scaled.
    """

    scale: Floats
    zero: NDArray[Any]
    numbers: Floats
    decoded: Floats


def library(values: Floats, args: dict[str, Any], group: int | None, *, whole: bool) -> Theirs:
    """The library's own observers' arithmetic, scales and codes."""
    import torch
    from compressed_tensors.quantization import QuantizationArgs
    from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
    from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

    given = QuantizationArgs(**args)
    weight = torch.from_numpy(values)
    grouped = weight.unflatten(-1, (-1, group)) if group else weight.unsqueeze(1)
    low, high = grouped.amin(dim=-1), grouped.amax(dim=-1)
    shared = generate_gparam(weight.amin(), weight.amax()) if whole else None
    scale, zero = calculate_qparams(low, high, given, global_scale=shared)
    numbers = quantize(weight, scale, zero, given, global_scale=shared)
    back = dequantize(numbers, scale, zero, given, global_scale=shared)
    return Theirs(*(one.float().numpy() for one in (scale, zero, numbers, back)))


def numbers_of(ours: Quantized) -> Floats:
    """What our codes stand for, in the library's terms."""
    codes = ours.codes
    if ours.scheme.id == "integer":
        return codes.astype(np.float32) - np.float32(1 << (ours.scheme.bits - 1))
    ones = {name: np.ones_like(one) for name, one in ours.parameters.items()}
    return ours.scheme.decode(codes, ones)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("group", [32, 128, None])
@pytest.mark.parametrize("bits", range(2, 9))
def test_symmetric_integers(bits: int, group: int | None, seed: int) -> None:
    values = weights(seed)
    size = group or "channel"
    options = {"scale_rule": "compressed-tensors", "scale_dtype": "f32"}
    ours = quantized(values, bits=bits, group_size=size, **options)
    strategy = {"strategy": "group", "group_size": group} if group else {"strategy": "channel"}
    theirs = library(values, {"num_bits": bits, "type": "int", **strategy}, group, whole=False)
    np.testing.assert_array_equal(ours.parameters["scale"], theirs.scale)
    np.testing.assert_array_equal(numbers_of(ours), theirs.numbers)
    np.testing.assert_array_equal(ours.scheme.decode(ours.codes, ours.parameters), theirs.decoded)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("group", [32, 128, None])
@pytest.mark.parametrize("bits", range(2, 9))
def test_asymmetric_integers(bits: int, group: int | None, seed: int) -> None:
    values = weights(seed)[1:]  # to the library, a row of zeros has the zero point of NaN
    size = group or "channel"
    options = {"scale_rule": "compressed-tensors", "scale_dtype": "f32", "symmetric": False}
    ours = quantized(values, bits=bits, group_size=size, **options)
    strategy = {"strategy": "group", "group_size": group} if group else {"strategy": "channel"}
    args = {"num_bits": bits, "type": "int", "symmetric": False, **strategy}
    theirs = library(values, args, group, whole=False)
    half = 1 << (bits - 1)
    np.testing.assert_array_equal(ours.parameters["scale"], theirs.scale)
    np.testing.assert_array_equal(ours.parameters["zero_point"] - np.float32(half), theirs.zero)
    np.testing.assert_array_equal(numbers_of(ours), theirs.numbers)
    np.testing.assert_array_equal(ours.scheme.decode(ours.codes, ours.parameters), theirs.decoded)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("group", [128, None])
def test_8_bit_floats(group: int | None, seed: int) -> None:
    values = weights(seed)
    size = group or "channel"
    options = {"scale_rule": "compressed-tensors", "scale_dtype": "f32"}
    ours = quantized(values, scheme="fp8", group_size=size, **options)
    strategy = {"strategy": "group", "group_size": group} if group else {"strategy": "channel"}
    theirs = library(values, {"num_bits": 8, "type": "float", **strategy}, group, whole=False)
    np.testing.assert_array_equal(ours.parameters["scale"], theirs.scale)
    np.testing.assert_array_equal(numbers_of(ours), theirs.numbers)
    np.testing.assert_array_equal(ours.scheme.decode(ours.codes, ours.parameters), theirs.decoded)


def four_bit_floats() -> dict[str, tuple[dict[str, Any], int]]:
    """The library's arguments for its 4-bit floats, and the columns of a group."""
    import torch

    common = {"num_bits": 4, "type": "float"}
    exponents = {"scale_dtype": torch.uint8, "zp_dtype": torch.uint8}
    floats = {"scale_dtype": torch.float8_e4m3fn, "zp_dtype": torch.float8_e4m3fn}
    return {
        "mxfp4": ({**common, **exponents, "strategy": "group", "group_size": 32}, 32),
        "nvfp4": ({**common, **floats, "strategy": "tensor_group", "group_size": 16}, 16),
    }


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["mxfp4", "nvfp4"])
def test_4_bit_floats(name: str, seed: int, size: float) -> None:
    values = weights(seed) * np.float32(size)
    values[6] = np.float32(1.75) * np.exp2(np.arange(256) % 32 // 16 - 3)  # the mantissa of a tie
    ours = quantized(values, preset=f"{name}a16")
    args, group = four_bit_floats()[name]
    theirs = library(values, args, group, whole=name == "nvfp4")
    np.testing.assert_array_equal(ours.parameters["scale"], theirs.scale)
    np.testing.assert_array_equal(numbers_of(ours), theirs.numbers)
    np.testing.assert_array_equal(np.signbit(numbers_of(ours)), np.signbit(theirs.numbers))
    np.testing.assert_array_equal(ours.scheme.decode(ours.codes, ours.parameters), theirs.decoded)


def blocks_of_nf4(values: Floats, block: int) -> tuple[NDArray[np.uint8], Floats]:
    """Codes and scales of bitsandbytes: (rows, columns) and (rows, groups)."""
    import torch
    from bitsandbytes.functional import quantize_4bit

    packed, state = quantize_4bit(torch.from_numpy(values), blocksize=block, quant_type="nf4")
    high_first = packed.numpy().reshape(-1)
    codes = np.stack([high_first >> 4, high_first & 15], axis=1).reshape(values.shape)
    return codes, state.absmax.numpy().reshape(len(values), -1)


@pytest.mark.parametrize("block", [64, 128, 256])
@pytest.mark.parametrize("seed", range(3))
def test_nf4_codes_are_those_of_bitsandbytes(seed: int, block: int) -> None:
    values = weights(seed, (256, 512))
    ours = quantized(values, preset="NF4", group_size=block, scale_dtype="f32")
    codes, scale = blocks_of_nf4(values, block)
    np.testing.assert_array_equal(ours.codes, codes)
    np.testing.assert_array_equal(ours.parameters["scale"], np.where(scale == 0, 1, scale))


def test_a_search_of_nf4_scales_is_read_by_bitsandbytes() -> None:
    import torch
    from bitsandbytes.functional import QuantState, dequantize_4bit, get_4bit_type

    values = weights(7, (64, 512))
    scheme = Nf4(4, 64)
    found = scheme.fit(values, None, Fitting("bitsandbytes", "mse"))
    codes = scheme.encode(values, found, Fitting("bitsandbytes", "mse"))
    flat = codes.reshape(-1, 2)
    packed = torch.from_numpy((flat[:, 0] << 4 | flat[:, 1])[:, None].copy())
    state = QuantState(
        absmax=torch.from_numpy(found["scale"].reshape(-1).copy()),
        shape=torch.Size(values.shape),
        code=get_4bit_type("nf4", device="cpu"),
        blocksize=64,
        quant_type="nf4",
        dtype=torch.float32,
    )
    theirs = dequantize_4bit(packed, state).numpy()
    np.testing.assert_array_equal(scheme.decode(codes, found), theirs)


def doubled_by_bitsandbytes(values: Floats, block: int) -> tuple[Any, Any]:
    """Packed codes of bitsandbytes and its state, with double quantization."""
    import torch
    from bitsandbytes.functional import quantize_4bit

    weight = torch.from_numpy(values)
    found: tuple[Any, Any] = quantize_4bit(
        weight, blocksize=block, quant_type="nf4", compress_statistics=True
    )
    return found


def test_the_dynamic_map_is_that_of_bitsandbytes() -> None:
    from bitsandbytes.functional import create_dynamic_map

    np.testing.assert_array_equal(DYNAMIC, create_dynamic_map().numpy())


def test_every_bin_of_the_dynamic_map_is_that_of_bitsandbytes() -> None:
    import torch
    from bitsandbytes.functional import quantize_blockwise

    middles = np.arange(65536) / 65535 * 2 - 1
    ends = np.clip(middles + 1 / 65535, -1, 1).astype(np.float32)
    far = np.float32(2)
    values = np.concatenate([middles.astype(np.float32), ends])
    values = np.concatenate([values, np.nextafter(ends, far), np.nextafter(ends, -far)])
    values = np.clip(values, -1, 1)
    codes, state = quantize_blockwise(torch.from_numpy(values), blocksize=len(values))
    assert state.absmax.tolist() == [1.0]
    np.testing.assert_array_equal(binned_codes(values), codes.numpy())


@pytest.mark.parametrize("block", [32, 64, 128])
@pytest.mark.parametrize("shape", [(48, 256), (200, 384), (1023, 640)])
@pytest.mark.parametrize("seed", range(3))
def test_double_quantization_is_that_of_bitsandbytes(
    seed: int, shape: tuple[int, int], block: int
) -> None:
    """Bit for bit with the library's offset, of which ours is not further than its rounding.

    PyTorch adds float32 numbers in an order that depends on the processor and on its threads.
    """
    from bitsandbytes.functional import dequantize_4bit

    values = weights(seed, shape)
    packed, state = doubled_by_bitsandbytes(values, block)
    ours = quantized(values, preset="NF4", group_size=block, double_quant=True)
    offset = state.offset.numpy().reshape(1, 1)
    assert abs(ours.parameters["nested_offset"] - offset) <= np.spacing(offset)

    scheme, fitting = ours.scheme, Fitting("bitsandbytes")
    found = scheme.fit(values, None, fitting, {"nested_offset": offset})
    np.testing.assert_array_equal(found["scale"].reshape(-1), state.absmax.numpy())
    nested = found["nested_absmax"].reshape(-1)[::256]
    np.testing.assert_array_equal(nested, state.state2.absmax.numpy())
    codes = scheme.encode(values, found, fitting)
    np.testing.assert_array_equal(codes, ours.codes)
    flat = codes.reshape(-1, 2)
    np.testing.assert_array_equal((flat[:, 0] << 4 | flat[:, 1])[:, None], packed.numpy())
    theirs = dequantize_4bit(packed, state).numpy()
    np.testing.assert_array_equal(scheme.decode(codes, found), theirs)


def test_a_search_of_scales_that_are_codes_is_read_by_bitsandbytes() -> None:
    import torch
    from bitsandbytes.functional import dequantize_4bit

    values = weights(7, (96, 512))
    scheme, fitting = Nf4Double(4, 64), Fitting("bitsandbytes", "mse")
    found = scheme.fit(values, None, fitting)
    codes = scheme.encode(values, found, fitting)
    packed, state = doubled_by_bitsandbytes(values, 64)
    flat = codes.reshape(-1, 2)
    packed.copy_(torch.from_numpy((flat[:, 0] << 4 | flat[:, 1])[:, None]))
    state.absmax = torch.from_numpy(found["scale"].reshape(-1))
    state.state2.absmax = torch.from_numpy(found["nested_absmax"].reshape(-1)[::256].copy())
    state.offset = torch.tensor(found["nested_offset"][0, 0])
    theirs = dequantize_4bit(packed, state).numpy()
    np.testing.assert_array_equal(scheme.decode(codes, found), theirs)
