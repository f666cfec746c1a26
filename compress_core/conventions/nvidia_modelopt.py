"""Unified checkpoints of NVIDIA's Model Optimizer: 8-bit and 4-bit floats with scales.

Source: ``qtensor/`` and ``export/`` of TensorRT-Model-Optimizer, and what vLLM 0.33 reads. What the
codes are stands in ``quantization_config`` of ``config.json``, or beside it in
``hf_quant_config.json``; of a layer the parts tell, so that mixed checkpoints need nothing else.
All scales are multiplied, ``weight_scale_2`` of NVFP4 too, of which compressed-tensors stores the
reciprocal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import Reader
from compress_core.conventions._reading import (
    Scales,
    coded,
    described,
    misshapen,
    modules_of,
    opened,
)
from compress_core.conventions.base import Convention
from compress_core.dtypes import DType
from compress_core.errors import FormatError, InputError
from compress_core.inputs import read_small
from compress_core.layouts._served.module import Module, is_float, matrix_of
from compress_core.layouts._served.opening import not_decoded
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight
from compress_core.schemes.base import Parameters, Scheme
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.fp8_block import ROWS, Fp8Block
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.strict_json import parse_object

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DESCRIPTION = "hf_quant_config.json"
_LARGEST = 16_000_000
_ALGORITHMS = (
    *("FP8", "FP8_PER_CHANNEL_PER_TOKEN", "FP8_PB_WO", "NVFP4", "W4A16_NVFP4", "MXFP8"),
    "MIXED_PRECISION",
)
_LOCALS = ("weight_scale", "weight_scale_2", "pre_quant_scale")
_GROUP, _MICRO = 16, 32
"""Columns of a group of NVFP4, and of MXFP8."""


class NvidiaModelopt(Convention):
    """``X.weight`` in E4M3, or in bytes of two E2M1, and ``X.weight_scale``."""

    id: ClassVar[str] = "nvidia-modelopt"
    summary: ClassVar[str] = "8-bit floats, NVFP4 and MXFP8 of unified checkpoints"
    written_by: ClassVar[str] = "NVIDIA Model Optimizer (by its source; it was not run)"

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        beside = _beside(reader)
        said = _own(described(reader)) or _own(beside)
        modules = {
            name: one
            for name, one in modules_of(reader, _LOCALS).items()
            if "weight_scale" in one.locals or one.locals["weight"].dtype.code == "F8_E4M3"
        }
        if said is None and (
            described(reader) is not None
            or not any("weight_scale_2" in one.locals for one in modules.values())
        ):
            return None
        if not modules:
            return None
        algorithm = (said or {}).get("quant_algo")
        if algorithm is not None and str(algorithm).upper() not in _ALGORITHMS:
            not_decoded(reader, cls.id, f"quant_algo {algorithm!s:.40}")
            return None
        found = opened(reader, cls.id, modules, _weight)
        if found is not None and beside is not None:
            found.described_in = (DESCRIPTION,)
        return found


def _beside(reader: Reader) -> Mapping[str, Any] | None:
    """What ``hf_quant_config.json`` says of codes; ``None``: nothing that can be read."""
    path = reader.path / DESCRIPTION
    if not reader.path.is_dir() or not path.exists():
        return None
    try:
        said = parse_object(read_small(path, "a description", _LARGEST), what="it", where=str(path))
    except InputError as error:
        reader.notes = [*reader.notes, f"{DESCRIPTION} is not used: {error}"]
        return None
    quantization = said.get("quantization")
    found = quantization if isinstance(quantization, dict) else {}
    return {"producer": said.get("producer"), **found}


def _own(said: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A description, if it is one of this convention."""
    if said is None:
        return None
    method, producer = said.get("quant_method"), said.get("producer")
    if isinstance(method, str):
        return said if method.startswith("modelopt") else None
    named = isinstance(producer, Mapping) and producer.get("name") == "modelopt"
    return said if named or "quant_algo" in said else None


def _weight(module: Module, dtype: DType) -> CodedWeight:
    if "pre_quant_scale" in module.locals:
        raise NotDecodedError(f"{module.name}.pre_quant_scale")
    weight, scale = module.info("weight"), module.info("weight_scale")
    if weight.dtype.code == "U8" and "weight_scale_2" in module.locals:
        return _nvfp4(module, dtype)
    if weight.dtype.code != "F8_E4M3" or "weight_scale_2" in module.locals:
        raise NotDecodedError(f"{module.name}.weight in {weight.dtype}")
    shape, parts = matrix_of(weight), ("weight", "weight_scale")
    if scale.dtype.code in ("U8", "F8_E8M0"):
        if scale.shape != (shape[0], shape[1] / _MICRO):
            raise misshapen(module, "weight_scale")
        scales = Scales("weight_scale", "F8_E8M0")
        return coded(module, parts, dtype, shape, Fp8(8, _MICRO), scales)
    scheme = _fp8(shape, scale.shape) if is_float(scale.dtype.code) else None
    if scheme is None:
        raise misshapen(module, "weight_scale")
    if isinstance(scheme, Fp8Block):
        module = replace(module, rows_of_block=min(ROWS, shape[0]))
    scales = Scales("weight_scale", scale.dtype.code)
    return coded(module, parts, dtype, shape, scheme, scales)


def _fp8(shape: tuple[int, int], scale: tuple[int, ...]) -> Scheme | None:
    """The scheme of codes with scales of a shape; ``None``: they do not fit."""
    down, across = -(-shape[0] // ROWS), -(-shape[1] // ROWS)
    if scale in ((), (1,), (1, 1)):
        return Fp8(8, "tensor")
    if scale in ((shape[0],), (shape[0], 1)):
        return Fp8(8, "channel")
    # blocks keep the dimensions that they were summed up over in some versions
    return Fp8Block(8, ROWS) if scale in ((down, across), (down, 1, across, 1)) else None


def _nvfp4(module: Module, dtype: DType) -> CodedWeight:
    rows, pairs = matrix_of(module.info("weight"))
    scale, whole = module.info("weight_scale"), module.info("weight_scale_2")
    if scale.dtype.code != "F8_E4M3" or scale.shape != (rows, 2 * pairs / _GROUP):
        raise misshapen(module, "weight_scale")
    if whole.dtype.code != "F32" or whole.shape not in ((), (1,)):
        raise misshapen(module, "weight_scale_2")
    parts = ("weight", "weight_scale", "weight_scale_2")
    shape, scheme = (rows, 2 * pairs), Multiplied(4, _GROUP)
    return coded(module, parts, dtype, shape, scheme, Pairs(), shown=Nvfp4(4, _GROUP))


@dataclass(frozen=True)
class Multiplied(Nvfp4):
    """NVFP4 whose ``global_scale`` is multiplied: its reciprocal would not be exact."""

    def unit(self, parameters: Parameters) -> NDArray[np.float32]:
        import numpy as np

        if (parameters["global_scale"] < 0).any():
            raise FormatError("a scale of the tensor below zero")
        with np.errstate(over="ignore"):
            return np.asarray(parameters["scale"] * parameters["global_scale"])


class Pairs:
    """Two codes in a byte of ``weight``, the first in the low half."""

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        """The codes of some rows."""
        from compress_core.kernels.bits import unpack

        codes: NDArray[np.uint8] = unpack(module.rows("weight", start, stop), 4, columns)
        return codes

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        """The scales of some rows, and that of the tensor."""
        return {
            "scale": module.floats("weight_scale", start, stop),
            "global_scale": module.floats("weight_scale_2", 0, 1),
        }
