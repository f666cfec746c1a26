"""``quantization`` in ``config.json``: what the codes of a checkpoint are, to read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from compress_core.errors import FormatError
from compress_core.layouts.mlx.described import KEYS

_USUAL = {"affine": (4, 64), "mxfp4": (4, 32), "mxfp8": (8, 32), "nvfp4": (4, 16)}


@dataclass(frozen=True)
class Arguments:
    """What the codes of a layer are."""

    bits: int
    group_size: int
    mode: str

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Arguments:
        """The arguments of a layer, or of all that have none of their own.

        What is left out is as MLX has it: the mode affine, and the usual width of a mode.

        :raises FormatError: they are none.
        """
        mode = given.get("mode", "affine")
        if not isinstance(mode, str):
            raise FormatError(f"mode of quantization: {mode!r:.80}")
        usual_bits, usual_group = _USUAL.get(mode, _USUAL["affine"])
        bits, group = given.get("bits") or usual_bits, given.get("group_size") or usual_group
        if type(bits) is not int or not 1 <= bits <= 32:
            raise FormatError(f"bits of quantization: {bits!r:.80}")
        if type(group) is not int or not 0 < group < 2**31:
            raise FormatError(f"group_size of quantization: {group!r:.80}")
        return cls(bits, group, mode)


@dataclass(frozen=True)
class Quantization:
    """What a ``config.json`` says of all layers."""

    given: Mapping[str, Any]

    def of(self, module: str) -> Arguments:
        """The arguments of a layer that has codes.

        :raises FormatError: there are none.
        """
        own = self.given.get(module, True)
        if own is True:
            return Arguments.read(self.given)
        if not isinstance(own, Mapping):
            raise FormatError(f"it has codes, and quantization says {own!r:.80}", where=module)
        return Arguments.read(own)


def quantization_of(config: Mapping[str, Any] | None) -> Quantization | None:
    """What a ``config.json`` says of codes of MLX; ``None``: nothing."""
    for key in KEYS:
        found = (config or {}).get(key)
        if isinstance(found, Mapping) and "quant_method" not in found and "bits" in found:
            return Quantization(found)
    return None
