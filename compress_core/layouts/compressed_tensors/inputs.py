"""What servers make of the inputs of a layer, as ``quantization_config`` says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compress_core.errors import FormatError

_TOKENS: Mapping[str, Any] = {
    "num_bits": 8,
    "type": "float",
    "symmetric": True,
    "group_size": None,
    "strategy": "token",
    "dynamic": True,
}


def input_arguments(inputs: str | None, weights: Mapping[str, Any]) -> dict[str, Any] | None:
    """``input_activations`` for what a form says of inputs, beside weights with these arguments."""
    if inputs is None:
        return None
    found = {**_TOKENS, "type": "int" if inputs == "int8" else "float"}
    if weights["strategy"] == "block":
        found |= {"strategy": "group", "group_size": weights["block_structure"][1]}
    return found


def inputs_of(given: Any) -> str | None:
    """The name of what ``input_activations`` asks for.

    :raises FormatError: it is no object.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise FormatError(f"input_activations of a group: {given!r:.80}")
    kind, bits = given.get("type", "int"), given.get("num_bits", 8)
    return f"{'fp' if kind == 'float' else 'int'}{bits!s:.3}"
