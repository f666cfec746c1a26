"""FP8 blocks as DeepSeek stores them: 8-bit floats, and a scale for each block of the matrix.

Source: transformers 5.23, ``FineGrainedFP8Config``. In spite of its name ``weight_scale_inv`` is
multiplied. Blocks begin at row 0 and column 0, and those at the edges are smaller.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

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
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module, is_float, matrix_of
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight
from compress_core.schemes.base import Scheme
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.fp8_block import ROWS, Fp8Block

_SCALES = ("weight_scale_inv", "scale", "qscale_weight")
"""What the part of the scales is called, in the order in which releases took to it."""

Block = tuple[int, int]


class DeepseekFp8(Convention):
    """``X.weight`` in E4M3 and ``X.weight_scale_inv``, described as ``quant_method: fp8``."""

    id: ClassVar[str] = "deepseek-fp8"
    summary: ClassVar[str] = "8-bit floats (E4M3) with weight_scale_inv, for blocks or a tensor"
    written_by: ClassVar[str] = "DeepSeek and others, transformers (FineGrainedFP8Config)"

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        said = described(reader)
        method = None if said is None else said.get("quant_method")
        found = modules_of(reader, _SCALES)
        modules = {name: one for name, one in found.items() if _has_codes(one)}
        inverse = any(_SCALES[0] in one.locals for one in modules.values())
        if not modules or (method != "fp8" and (said is not None or not inverse)):
            return None

        def weight_of(module: Module, dtype: DType) -> CodedWeight:
            return _weight(module, dtype, _block(said or {}))

        return opened(reader, cls.id, modules, weight_of)


def _has_codes(module: Module) -> bool:
    """Whether a module is one of this convention, though its scales may be missing."""
    return _SCALES[0] in module.locals or module.locals["weight"].dtype.code == "F8_E4M3"


def _block(said: Mapping[str, Any]) -> Block | None:
    """(rows, columns) of a block; ``None``: the whole tensor.

    :raises FormatError: it is no such pair.
    """
    size = said.get("weight_block_size", [ROWS, ROWS])
    if size is None:
        return None
    if (
        not isinstance(size, list)
        or len(size) != 2
        or not all(type(one) is int and 0 < one < 2**31 for one in size)
    ):
        raise FormatError(f"weight_block_size of quantization_config: {size!r:.80}")
    return size[0], size[1]


def _weight(module: Module, dtype: DType, block: Block | None) -> CodedWeight:
    weight = module.info("weight")
    if weight.dtype.code != "F8_E4M3":
        raise NotDecodedError(f"{module.name}.weight in {weight.dtype}")
    local = next((one for one in _SCALES if one in module.locals), _SCALES[0])
    if local not in module.locals and f"{module.name}.weight_scale" in module.reader.infos:
        raise NotDecodedError(f"{module.name}.weight_scale")
    scale, shape = module.info(local), matrix_of(weight)
    code = "F8_E8M0" if scale.dtype.code == "U8" else scale.dtype.code
    if code != "F8_E8M0" and not is_float(code):
        raise misshapen(module, local)
    if block is not None and scale.shape == _grid(shape, block):
        scheme = _scheme(block)
        module = replace(module, rows_of_block=min(block[0], shape[0]))
    elif len(scale.shape) < 2 and scale.elements == 1:
        scheme = Fp8(8, "tensor")
    else:
        raise misshapen(module, local)
    return coded(module, ("weight", local), dtype, shape, scheme, Scales(local, code))


def _grid(shape: tuple[int, int], block: Block) -> tuple[int, int]:
    """How many blocks a matrix has, down and across."""
    return -(-shape[0] // block[0]), -(-shape[1] // block[1])


def _scheme(block: Block) -> Scheme:
    """To the rows of blocks of other heights their scales are those of groups of columns."""
    return Fp8Block(8, block[1]) if block[0] == ROWS else Fp8(8, block[1])
