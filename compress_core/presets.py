"""Names for sets of quantize options, as other tools use them.

Source: the preset names of compressed-tensors and llm-compressor, NF4 of bitsandbytes, and the
widths of MLX with its group size. Only those that need no scales of activations are here: a weight
file holds none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from compress_core.errors import UsageError
from compress_core.fields import Scalar
from compress_core.near import did_you_mean, shown


def _options(**options: Scalar) -> Mapping[str, Scalar]:
    return MappingProxyType(options)


PRESETS: Mapping[str, Mapping[str, Scalar]] = MappingProxyType(
    {f"W{bits}A16": _options(bits=bits, group_size=128, symmetric=True) for bits in range(2, 9)}
    | {
        "W4A16_ASYM": _options(bits=4, group_size=128, symmetric=False),
        "W8A8": _options(bits=8, group_size="channel", symmetric=True, inputs="int8"),
        "FP8_DYNAMIC": _options(scheme="fp8", group_size="channel", inputs="fp8"),
        "FP8_BLOCK": _options(scheme="fp8-block", group_size=128, inputs="fp8"),
        "NF4": _options(scheme="nf4", group_size=64),
        "MXFP4A16": _options(scheme="mxfp4", group_size=32),
        "NVFP4A16": _options(scheme="nvfp4", group_size=16),
        "MXFP8A16": _options(scheme="mxfp8", group_size=32),
    }
    | {
        f"MLX{bits}": _options(scheme="affine", bits=bits, group_size=64)
        for bits in (2, 3, 4, 5, 6, 8)
    }
)
"""Preset → options of the pass ``quantize``."""


def rule_of(preset: str) -> str:
    """The ``scale_rule`` of the library that a preset is known from."""
    if preset.startswith("MLX") or preset == "MXFP8A16":
        return "mlx"
    return "bitsandbytes" if preset == "NF4" else "compressed-tensors"


_NEEDS_ACTIVATIONS = ("FP8", "NVFP4")

# what people know from elsewhere, and which of ours stores weights of that width
_INSTEAD = {
    "FP8": "FP8_DYNAMIC",
    "MXFP8": "MXFP8A16",
    "AFFINE": "MLX4",
    "MXFP6A16": "W6A16",
    "MXFP6A8": "W6A16",
    "W4AFP8": "W4A16",
    "MXFP4": "MXFP4A16",
    "MXFP4XFP8": "MXFP4A16",
    "NVFP4": "NVFP4A16",
}


_ALIASES = {"INT8": "W8A8"}


def find(name: str) -> str:
    """The preset that ``name`` means, whatever its case.

    :raises UsageError: there is none; the hint names the one to use instead, or the nearest.
    """
    wanted = _ALIASES.get(name.upper(), name.upper())
    if wanted in PRESETS:
        return wanted
    raise UsageError(_refusal(name), where="preset", hint=_hint(wanted))


def _refusal(name: str) -> str:
    if name.upper() in _NEEDS_ACTIVATIONS:
        return f"preset {name} needs scales of activations, which a weight file does not hold"
    return f"unknown preset: {shown(name)}"


def _hint(wanted: str) -> str:
    if wanted == "UNQUANTIZED":
        return "leave the pass quantize out"
    quantized_activations = re.fullmatch(r"W([2-8])A[48]", wanted)
    if quantized_activations is not None:
        return f"use W{quantized_activations[1]}A16: weights of that width, activations as they are"
    if wanted in _INSTEAD:
        return f"use {_INSTEAD[wanted]}"
    return did_you_mean(wanted, PRESETS, "presets")
