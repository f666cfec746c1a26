"""What ``config.json`` says of the dtype of a model, when a cast changes that of its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compress_core.tensors import Form

_NAMES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64"}
_KEYS = ("dtype", "torch_dtype")


def config_after(config: Mapping[str, Any] | None, forms: Sequence[Form]) -> Mapping[str, Any]:
    """A config that names the dtype of the weights, where it names one and all have the same.

    Models inside the model (``text_config`` and so on) have their own keys.

    :param forms: of all weights.
    """
    config = config or {}
    dtypes = {form.dtype.code for form in forms}
    if len(dtypes) != 1 or not any(form.cast for form in forms):
        return config
    return _renamed(config, _NAMES[dtypes.pop()])


def _renamed(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = dict(config)
    for key, value in config.items():
        if key in _KEYS and value in _NAMES.values():
            found[key] = name
        elif _is_model(key, value):
            found[key] = _renamed(value, name)
    return found


def config_remarks(config: Mapping[str, Any] | None, forms: Sequence[Form]) -> list[str]:
    """What is to be said of the dtype that a config names; nothing while a cast is open."""
    cast = [form for form in forms if form.cast]
    if not cast or any(form.maybe is not None for form in forms):
        return []
    after = dict(_named(config_after(config, forms)))
    wanted = _NAMES[cast[0].dtype.code]
    said = []
    for place, value in _named(config or {}):
        if after[place] != value:
            said.append(f"{place} of config.json becomes {after[place]}")
        elif value != wanted:
            said.append(f"{place} of config.json stays {value}: not all weights are {wanted}")
    return said


def _named(config: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """Places in a config that name a dtype, and which."""
    for key, value in config.items():
        if key in _KEYS and value in _NAMES.values():
            yield place + key, value
        elif _is_model(key, value):
            yield from _named(value, f"{place}{key}.")


def _is_model(key: str, value: Any) -> bool:
    own = key.endswith("_config") and key not in ("quantization_config", "compression_config")
    return own and isinstance(value, Mapping)
