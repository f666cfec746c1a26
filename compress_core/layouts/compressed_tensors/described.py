"""``quantization_config``: what a checkpoint says of its layers, to write.

Source: the writer's checklist of compressed-tensors 0.20, transformers 5.23 and vLLM 0.33. Every
group names its ``format``, since transformers infers another one from the arguments; every linear
layer that stays dense is in ``ignore``, or it is loaded with random weights; ``scale_dtype`` and
``zp_dtype`` are left out, which older readers refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from compress_core.layouts._served.fitness import dense_layers
from compress_core.layouts._served.quantization import without_quantization
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.compressed_tensors.inputs import input_arguments
from compress_core.layouts.compressed_tensors.storage import Storage
from compress_core.layouts.compressed_tensors.storages import storage_for
from compress_core.tensors import Form, TensorInfo

METHOD = "compressed-tensors"
_SERVED = "bfloat16"
_FLOATS = ("nvfp4", "mxfp4")
Key = tuple[str, tuple[tuple[str, Any], ...], str | None]


def described(checkpoint: Checkpoint) -> dict[str, Any]:
    """``config.json`` with what its quantized layers are."""
    config = without_quantization(checkpoint.config or {})
    served = dict.fromkeys(dtype_before(config, checkpoint.with_infos()), _SERVED)
    return {**config, **served, "quantization_config": quantization_config(checkpoint)}


def dtype_before(
    config: Mapping[str, Any], tensors: Iterable[tuple[TensorInfo, Form]]
) -> dict[str, Any]:
    """What a config says of the dtype, where it is to say bfloat16; ``None``: nothing.

    Readers decode 4-bit floats to bfloat16 whatever the dtype of the model, and compute with both.
    """
    if not any(form.scheme is not None and form.scheme.id in _FLOATS for _, form in tensors):
        return {}
    found = {key: config[key] for key in ("dtype", "torch_dtype") if key in config}
    return {key: said for key, said in (found or {"dtype": None}).items() if said != _SERVED}


def dtype_remark(checkpoint: Checkpoint) -> list[str]:
    """What is to be said of another dtype."""
    before = dtype_before(checkpoint.config or {}, checkpoint.with_infos())
    said = [f"{key} of config.json becomes {_SERVED}" for key in before]
    return [f"{one}: readers decode 4-bit floats to nothing else" for one in said]


def quantization_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The description of all layers.

    Layers of the most frequent kind are meant by their class. The others are named, and stand
    before it.
    """
    kinds = _kinds(checkpoint.coded)
    common = max(kinds, key=lambda key: len(kinds[key]))
    others = [key for key in kinds if key != common]
    groups = [(key, kinds[key]) for key in others] + [(common, ["Linear"])]
    formats = list(dict.fromkeys(key[0] for key in kinds))
    return {
        "quant_method": METHOD,
        "format": formats[0] if len(formats) == 1 else "mixed-precision",
        "quantization_status": "compressed",
        "config_groups": {
            f"group_{index}": _group(key, targets) for index, (key, targets) in enumerate(groups)
        },
        "ignore": dense_layers(checkpoint),
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
    }


def _kinds(coded: Mapping[str, Form]) -> dict[Key, list[str]]:
    """What groups say of their layers → the modules."""
    kinds: dict[Key, list[str]] = {}
    for name, form in coded.items():
        kinds.setdefault(_key(form), []).append(name.removesuffix(".weight"))
    return kinds


def _key(form: Form) -> Key:
    storage, scheme = storage_for(form), form.scheme
    if storage is None or scheme is None:
        raise RuntimeError(f"no format for {form}")
    return storage.format, _frozen(storage, form), form.inputs


def _frozen(storage: Storage, form: Form) -> tuple[tuple[str, Any], ...]:
    if form.scheme is None:
        return ()
    said = storage.weights(form.scheme).items()
    return tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in said)


def _group(key: Key, targets: list[str]) -> dict[str, Any]:
    format_, weights, inputs = key
    return {
        "targets": targets,
        "format": format_,
        "weights": dict(weights),
        "input_activations": input_arguments(inputs, dict(weights)),
        "output_activations": None,
    }
