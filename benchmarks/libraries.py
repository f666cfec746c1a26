"""What other libraries make of one weight matrix: their own scales, codes, packing and decoding.

Each is optional. Bits are those of the tensors that the library stores, parameters included.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Stored:
    """A quantized matrix: its values again, and the bytes of all its tensors."""

    decoded: Floats
    nbytes: int


Quantizer = Callable[[Floats], Stored]


def version_of(library: str) -> str | None:
    """The version that is installed, if any is."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def _stored(decoded: Any, tensors: Iterable[Any]) -> Stored:
    size = sum(one.numel() * one.element_size() for one in tensors if one is not None)
    return Stored(decoded.float().numpy(), size)


def _compressed_tensors(kind: str, packing: str, group: int | None, **options: Any) -> Quantizer:
    """The observers' arithmetic (minimum and maximum) and a compressor of compressed-tensors."""

    def quantize(values: Floats) -> Stored:
        import torch
        from compressed_tensors.compressors import BaseCompressor
        from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
        from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

        whole = packing == "nvfp4-pack-quantized"
        strategy = ("tensor_group" if whole else "group") if group else "channel"
        given = {"type": kind, "strategy": strategy, "group_size": group, **options}
        if kind == "float" and options["num_bits"] == 4:
            of_scales = torch.float8_e4m3fn if whole else torch.uint8
            given |= {"scale_dtype": of_scales, "zp_dtype": of_scales}
        arguments = QuantizationArgs(**given)
        weight = torch.from_numpy(values)
        groups = weight.reshape(len(weight), -1, group or weight.shape[1])
        shared = generate_gparam(weight.amin(), weight.amax()) if whole else None
        scale, zero = calculate_qparams(
            groups.amin(-1), groups.amax(-1), arguments, global_scale=shared
        )
        state = {"weight": weight, "weight_scale": scale, "weight_zero_point": zero}
        state |= {} if shared is None else {"weight_global_scale": shared}
        scheme = QuantizationScheme(targets=["Linear"], weights=arguments)
        compressor = BaseCompressor.get_value_from_registry(packing)
        packed = compressor.compress(state, scheme)
        tensors = list(packed.values())
        return _stored(compressor.decompress(packed, scheme)["weight"], tensors)

    return quantize


def _torchao(configuration: Callable[[], Any]) -> Quantizer:
    """A layer that torchao quantizes, of its weights alone."""

    def quantize(values: Floats) -> Stored:
        import torch
        from torchao.quantization import quantize_

        layer = torch.nn.Linear(values.shape[1], values.shape[0], bias=False)
        layer.weight.data = torch.from_numpy(values.copy())
        quantize_(layer, configuration())
        weight = layer.weight
        tensors = [getattr(weight, name, None) for name in _names_of(weight)]
        return _stored(weight.dequantize(), tensors)

    return quantize


def _names_of(tensor: Any) -> list[str]:
    """The tensors that one of torchao's holds."""
    own = list(tensor.tensor_data_names)
    return [*own, *getattr(tensor, "optional_tensor_data_names", [])]


def _torchao_integers(bits: int, group: int) -> Callable[[], Any]:
    def configuration() -> Any:
        import torch
        from torchao.quantization import IntxWeightOnlyConfig, PerGroup

        dtype = getattr(torch, f"int{bits}")
        return IntxWeightOnlyConfig(weight_dtype=dtype, granularity=PerGroup(group))

    return configuration


def _torchao_8_bits(name: str) -> Callable[[], Any]:
    def configuration() -> Any:
        import torchao.quantization

        return getattr(torchao.quantization, name)()

    return configuration


def _torchao_mxfp4(values: Floats) -> Stored:
    import torch
    from torchao.prototype.mx_formats.mx_tensor import MXTensor

    found = MXTensor.to_mx(torch.from_numpy(values), torch.float4_e2m1fn_x2, 32)
    return _stored(found.dequantize(torch.float32), [found.qdata, found.scale])


def _torchao_nvfp4(values: Floats) -> Stored:
    import torch
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale

    weight = torch.from_numpy(values)
    shared = per_tensor_amax_to_scale(weight.abs().amax())
    found = NVFP4Tensor.to_nvfp4(weight, per_tensor_scale=shared)
    return _stored(found.dequantize(torch.float32), [found.qdata, found.scale, shared])


def _bitsandbytes_nf4(*, double: bool) -> Quantizer:
    def quantize(values: Floats) -> Stored:
        import torch
        from bitsandbytes.functional import dequantize_4bit, quantize_4bit

        packed, state = quantize_4bit(
            torch.from_numpy(values), blocksize=64, quant_type="nf4", compress_statistics=double
        )
        tensors = [packed, state.absmax]
        tensors += [state.state2.absmax, state.offset] if double else []  # tables are not counted
        return _stored(dequantize_4bit(packed, state), tensors)

    return quantize


def _bitsandbytes_int8(values: Floats) -> Stored:
    import torch
    from bitsandbytes.functional import int8_vectorwise_dequant, int8_vectorwise_quant

    weight = torch.from_numpy(values).half()  # the only dtype that it takes
    codes, largest, _ = int8_vectorwise_quant(weight)
    return _stored(int8_vectorwise_dequant(codes, largest), [codes, largest])


def _hqq(bits: int, group: int) -> Quantizer:
    def quantize(values: Floats) -> Stored:
        import torch
        from hqq.core.quantize import Quantizer as Hqq

        packed, found = Hqq.quantize(
            torch.from_numpy(values.copy()), nbits=bits, group_size=group, axis=1, device="cpu"
        )
        # as its layers do when they are moved to their dtype
        found |= {name: found[name].half() for name in ("scale", "zero")}
        return _stored(Hqq.dequantize(packed, found), [packed, found["scale"], found["zero"]])

    return quantize


def _integers(bits: int, group: int | None, *, symmetric: bool = True) -> Quantizer:
    return _compressed_tensors("int", "pack-quantized", group, num_bits=bits, symmetric=symmetric)


LIBRARIES: Mapping[str, Mapping[str, Quantizer]] = {
    "compressed-tensors": {
        "int8 channel": _integers(8, None),
        "int8 g128": _integers(8, 128),
        "int6 g128": _integers(6, 128),
        "int5 g128": _integers(5, 128),
        "int4 channel": _integers(4, None),
        "int4 g128": _integers(4, 128),
        "int4 g128 asym": _integers(4, 128, symmetric=False),
        "int4 g32": _integers(4, 32),
        "int3 g128": _integers(3, 128),
        "int3 g64 asym": _integers(3, 64, symmetric=False),
        "int2 g64": _integers(2, 64),
        "int2 g64 asym": _integers(2, 64, symmetric=False),
        "fp8 channel": _compressed_tensors("float", "float-quantized", None, num_bits=8),
        "mxfp4 g32": _compressed_tensors("float", "mxfp4-pack-quantized", 32, num_bits=4),
        "nvfp4 g16": _compressed_tensors("float", "nvfp4-pack-quantized", 16, num_bits=4),
    },
    "torchao": {
        "int8 channel": _torchao(_torchao_8_bits("Int8WeightOnlyConfig")),
        "int4 g128": _torchao(_torchao_integers(4, 128)),
        "int4 g32": _torchao(_torchao_integers(4, 32)),
        "int3 g128": _torchao(_torchao_integers(3, 128)),
        "int2 g64": _torchao(_torchao_integers(2, 64)),
        "fp8 channel": _torchao(_torchao_8_bits("Float8WeightOnlyConfig")),
        "mxfp4 g32": _torchao_mxfp4,
        "nvfp4 g16": _torchao_nvfp4,
    },
    "bitsandbytes": {
        "int8 channel": _bitsandbytes_int8,
        "nf4 g64": _bitsandbytes_nf4(double=False),
        "nf4 g64 double": _bitsandbytes_nf4(double=True),
    },
    "hqq": {
        "int4 g128 asym": _hqq(4, 128),
        "int3 g64 asym": _hqq(3, 64),
        "int2 g64 asym": _hqq(2, 64),
    },
}
"""Library → the name that ``quality.py`` gives to a format → how the library makes it."""
