"""``quant_state``: what bitsandbytes says of one weight, as a small JSON beside it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from compress_core.errors import FormatError
from compress_core.strict_json import parse_object

BLOCKS = (32, 64, 128, 256, 512, 1024, 2048, 4096)
"""Sizes of blocks that the library takes (0.50)."""
_NAMES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
_CODES = {name: code for code, name in _NAMES.items()}


def dtype_name(code: str) -> str:
    """What PyTorch calls the dtype that weights of ``code`` are decoded to: at most 32 bits."""
    return _NAMES.get(code, "float32")


@dataclass(frozen=True)
class State:
    """What the library says of one weight.

    :ivar kind: of its codes: ``nf4`` or ``fp4``.
    :ivar block: elements of the flattened weight that share a scale.
    :ivar dtype: code of the dtype that it is decoded to.
    :ivar nested: (scales that share a scale, what is added to all of them), where scales are codes.
    """

    kind: str
    block: int
    dtype: str
    shape: tuple[int, int]
    nested: tuple[int, float] | None = None

    @property
    def part(self) -> str:
        """The local name of what holds it."""
        return part_of(self.kind)

    @property
    def elements(self) -> int:
        """Elements of the weight."""
        return self.shape[0] * self.shape[1]

    @property
    def blocks(self) -> int:
        """Scales of the weight; the last may be for a shorter block."""
        return -(-self.elements // self.block)

    def text(self) -> bytes:
        """The JSON, in the order and with the spaces of the library."""
        said: dict[str, Any] = {
            "quant_type": self.kind,
            "blocksize": self.block,
            "dtype": dtype_name(self.dtype),
            "shape": list(self.shape),
        }
        return json.dumps(said).encode()

    @classmethod
    def read(cls, text: bytes, module: str) -> State:
        """The state that a JSON describes.

        :raises FormatError: it describes none.
        """
        said = parse_object(text, what="quant_state", where=module)
        kind: Any = said.get("quant_type")
        block: Any = said.get("blocksize")
        dtype: Any = said.get("dtype")
        shape: Any = said.get("shape")
        sides = isinstance(shape, list) and len(shape) == 2 and all(map(_is_count, shape))
        known = kind in ("nf4", "fp4") and isinstance(dtype, str) and dtype in _CODES
        if not known or not _is_count(block) or block not in BLOCKS or not sides:
            raise FormatError(f"quant_state is {text[:200]!r}", where=module)
        return cls(kind, block, _CODES[dtype], (shape[0], shape[1]), _nested(said, module))


def part_of(kind: str) -> str:
    """The local name of the state of codes of a kind."""
    return f"weight.quant_state.bitsandbytes__{kind}"


def _nested(said: dict[str, Any], module: str) -> tuple[int, float] | None:
    if "nested_blocksize" not in said:
        return None
    block: Any = said["nested_blocksize"]
    offset: Any = said.get("nested_offset")
    number = type(offset) in (int, float) and math.isfinite(offset)
    if not _is_count(block) or not number or said.get("nested_dtype") != "float32":
        raise FormatError("quant_state has no such nested scales", where=module)
    return block, float(offset)


def _is_count(size: Any) -> bool:
    return type(size) is int and 0 < size < 2**31
