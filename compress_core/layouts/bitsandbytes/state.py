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
# digits of a float, its sign, point and exponent: room for any
_WIDEST = 24
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
    :ivar nested: scales that share a scale, where scales are codes.
    :ivar offset: what is added to all of them.
    """

    kind: str
    block: int
    dtype: str
    shape: tuple[int, int]
    nested: int | None = None
    offset: float = 0.0

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

    @property
    def nested_blocks(self) -> int:
        """Scales of scales."""
        return 0 if self.nested is None else -(-self.blocks // self.nested)

    def text(self) -> bytes:
        """The JSON, in the order of the library; its length does not depend on ``offset``, which is
        not known before the weight is: there are spaces behind it.
        """
        said: dict[str, Any] = {
            "quant_type": self.kind,
            "blocksize": self.block,
            "dtype": dtype_name(self.dtype),
            "shape": list(self.shape),
        }
        if self.nested is None:
            return json.dumps(said).encode()
        said |= {"nested_blocksize": self.nested, "nested_dtype": "float32"}
        longest = len(json.dumps(said | {"nested_offset": 0})) - 1 + _WIDEST
        return json.dumps(said | {"nested_offset": self.offset}).ljust(longest).encode()

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
        sides_of = (shape[0], shape[1])
        return cls(kind, block, _CODES[dtype], sides_of, *_nested(said, module))


def part_of(kind: str) -> str:
    """The local name of the state of codes of a kind."""
    return f"weight.quant_state.bitsandbytes__{kind}"


def _nested(said: dict[str, Any], module: str) -> tuple[int | None, float]:
    if "nested_blocksize" not in said:
        return None, 0.0
    block: Any = said["nested_blocksize"]
    offset: Any = said.get("nested_offset")
    number = type(offset) in (int, float) and math.isfinite(offset)
    if not _is_count(block) or not number or said.get("nested_dtype") != "float32":
        raise FormatError("quant_state has no such nested scales", where=module)
    return block, float(offset)


def _is_count(size: Any) -> bool:
    return type(size) is int and 0 < size < 2**31
