"""What a group of ``quantization_config`` says of the weights of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from compress_core.errors import FormatError
from compress_core.schemes.base import GroupSize

_STRATEGIES = ("tensor", "channel", "group", "block", "tensor_group", "token", "attn_head")


@dataclass(frozen=True)
class Arguments:
    """``QuantizationArgs`` of weights, as far as decoding depends on them.

    :ivar block: rows and columns of the blocks that share a scale, with strategy ``block``.
    """

    num_bits: int
    type: Literal["int", "float"]
    symmetric: bool
    strategy: str
    group_size: int | None
    block: tuple[int, int] | None

    @property
    def groups(self) -> GroupSize | None:
        """The group size of a scheme; ``None``: no scheme has such groups."""
        if self.strategy in ("tensor", "channel"):
            return "tensor" if self.strategy == "tensor" else "channel"
        return self.group_size if self.strategy in ("group", "tensor_group") else None

    @classmethod
    def read(cls, given: Any) -> Arguments:
        """The arguments of a group.

        :raises FormatError: they are none.
        """
        if not isinstance(given, Mapping):
            raise FormatError(f"weights of a group: {given!r:.80}")
        bits, kind = given.get("num_bits", 8), given.get("type", "int")
        size = None if given.get("group_size") == -1 else given.get("group_size")
        whole = type(bits) is int and 1 <= bits <= 16
        if not whole or kind not in ("int", "float") or not _is_count(size):
            raise FormatError(f"weights of a group: {dict(given)!r:.200}")
        symmetric = given.get("symmetric", True)
        if type(symmetric) is not bool:
            raise FormatError(f"symmetric of a group: {symmetric!r:.80}")
        block = _block(given.get("block_structure"))
        return cls(bits, kind, symmetric, _strategy(given, size, block), size, block)


def _is_count(size: Any) -> bool:
    return size is None or (type(size) is int and 0 < size < 2**31)


def _strategy(given: Mapping[str, Any], size: int | None, block: tuple[int, int] | None) -> str:
    """The strategy; where none is written, the one that the library infers."""
    strategy = given.get("strategy")
    if strategy is None:
        return "group" if size is not None else "channel" if given.get("group_size") else "tensor"
    if strategy not in _STRATEGIES:
        raise FormatError(f"strategy of a group: {strategy!r:.80}")
    if (size is None) == (strategy in ("group", "tensor_group")):
        raise FormatError(f"strategy {strategy} with group_size {size}")
    if (block is None) == (strategy == "block"):
        raise FormatError(f"strategy {strategy} with block_structure {block}")
    return str(strategy)


def _block(given: Any) -> tuple[int, int] | None:
    if given is None:
        return None
    sides: Any = given.split("x") if isinstance(given, str) else given
    if isinstance(given, str) and all(side.isascii() and side.isdigit() for side in sides):
        sides = [int(side[:10]) for side in sides]
    good = isinstance(sides, list) and len(sides) == 2
    if not good or not all(_is_count(side) and side is not None for side in sides):
        raise FormatError(f"block_structure of a group: {given!r:.80}")
    return sides[0], sides[1]
