"""What a ``quantization_config`` of anybody says of codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compress_core.errors import FormatError
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.schemes.base import GroupSize

_FORMATS = {"gptq": 1, "gptq_v2": 0}
_BITS = (2, 4, 8)


@dataclass(frozen=True)
class Arguments:
    """How all codes of a checkpoint are to be read.

    :ivar less: what zero points are stored less than they are.
    :ivar ordered: whether groups are of consecutive columns; else each column names its group.
    """

    bits: int
    group_size: GroupSize
    symmetric: bool
    less: int
    ordered: bool

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Arguments:
        """The arguments of a config.

        :raises NotDecodedError: they are of another kind.
        :raises FormatError: they are none.
        """
        bits, size = config.get("bits"), config.get("group_size", -1)
        symmetric, act_order = config.get("sym", True), config.get("desc_act", False)
        words = type(symmetric) is bool and type(act_order) is bool
        if type(bits) is not int or not _is_size(size) or not words:
            raise FormatError(f"quantization_config of gptq: {dict(config)!r:.200}")
        named = config.get("checkpoint_format") or config.get("format") or "gptq"
        if bits not in _BITS or not isinstance(named, str) or named not in _FORMATS:
            raise NotDecodedError(f"{bits} bits, checkpoint_format {named!s:.40}")
        if config.get("dynamic"):
            raise NotDecodedError("layers with options of their own (dynamic)")
        group: GroupSize = "channel" if size == -1 else size
        return cls(bits, group, symmetric, _FORMATS[named], not act_order)


def _is_size(size: Any) -> bool:
    return type(size) is int and (size == -1 or 0 < size < 2**31)
