"""``quantization`` in ``config.json``: what the codes of a checkpoint are, to write.

Source: mlx-lm 0.32, ``load_model``. A layer without ``scales`` is dense and needs no mention.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from compress_core.layouts._served.quantization import without_quantization
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.mlx.modes import mode_for
from compress_core.tensors import Form

KEYS = ("quantization", "quantization_config")
"""Where a config describes codes: for mlx-lm, and once more for model pages."""


def described(checkpoint: Checkpoint) -> dict[str, Any]:
    """``config.json`` with what its quantized layers are."""
    config = without_quantization(checkpoint.config or {}, KEYS)
    said = quantization(checkpoint.coded)
    return {**config, **dict.fromkeys(KEYS, said)}


def quantization(coded: Mapping[str, Form]) -> dict[str, Any]:
    """The most frequent kind of codes, and the layers that have others."""
    kinds = {name.removesuffix(".weight"): _kind(form) for name, form in coded.items()}
    common = Counter(kinds.values()).most_common(1)[0][0]
    others = {module: dict(kind) for module, kind in kinds.items() if kind != common}
    return {**dict(common), **others}


def _kind(form: Form) -> tuple[tuple[str, Any], ...]:
    mode, scheme = mode_for(form), form.scheme
    if mode is None or scheme is None:
        raise RuntimeError(f"no mode for {form}")
    return ("group_size", scheme.group_size), ("bits", scheme.bits), ("mode", mode.name)
