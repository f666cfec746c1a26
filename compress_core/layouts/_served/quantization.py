"""Where ``config.json`` says what codes are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

KEYS = ("quantization_config", "compression_config")
"""Where a config may describe a quantization."""


def without_quantization(config: Mapping[str, Any], keys: Collection[str] = KEYS) -> dict[str, Any]:
    """A ``config.json`` of the same model in plain weights.

    :param keys: those that describe codes.
    """
    return {key: value for key, value in config.items() if key not in keys}


def method_of(config: Mapping[str, Any] | None) -> str | None:
    """The ``quant_method`` that a ``config.json`` names; ``None``: it names none."""
    found = (config or {}).get("quantization_config")
    method = found.get("quant_method") if isinstance(found, Mapping) else None
    return method if isinstance(method, str) else None
