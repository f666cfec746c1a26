"""What the library compressed-tensors and transformers make of a folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PARTS = ("weight_packed", "weight_scale")


def tensors_of(folder: Path) -> dict[str, Any]:
    """All tensors of a folder; its index, if there is one, names each of them and no other."""
    from safetensors.torch import load_file

    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    index = folder / "model.safetensors.index.json"
    if index.exists():
        listed = json.loads(index.read_text(encoding="utf-8"))
        assert set(listed["weight_map"]) == set(found)
        size = sum(one.element_size() * one.numel() for one in found.values())
        assert listed["metadata"]["total_size"] == size
    return found


def config_of(folder: Path) -> dict[str, Any]:
    """``config.json``."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def quantization_of(folder: Path) -> Any:
    """What the library understands of ``quantization_config``; unknown keys are its error."""
    from compressed_tensors.quantization import QuantizationConfig

    return QuantizationConfig.model_validate(config_of(folder)["quantization_config"])


def group_of(module: str, config: Any) -> Any:
    """The group of a module: by exact name, by expression, by class."""
    groups = list(config.config_groups.values())
    ways = (
        lambda target: target == module,
        lambda target: target.startswith("re:") and re.match(target[3:], module),
        lambda target: target == "Linear",
    )
    return next(one for way in ways for one in groups if any(map(way, one.targets)))


def decoded(folder: Path) -> dict[str, Any]:
    """The weights that the library decodes, module by module, in float32."""
    from compressed_tensors.compressors import BaseCompressor

    tensors, config = tensors_of(folder), quantization_of(folder)
    modules = {name.rpartition(".")[0] for name in tensors if name.endswith(PARTS)}
    found: dict[str, Any] = {}
    for module in sorted(modules):
        group = group_of(module, config)
        local = {
            name.removeprefix(f"{module}."): tensor
            for name, tensor in tensors.items()
            if name.rpartition(".")[0] == module and not name.endswith(".bias")
        }
        if local["weight_scale"].is_floating_point() and local["weight_scale"].element_size() > 1:
            local["weight_scale"] = local["weight_scale"].float()  # so that products are exact
        compressor = BaseCompressor.get_value_from_registry(
            str(getattr(group.format, "value", group.format))
        )
        found[f"{module}.weight"] = compressor.decompress(local, group)["weight"]
    return found


def loaded(folder: Path, **options: Any) -> Any:
    """The model, as transformers loads it: nothing is missing, left over or of another shape."""
    import transformers

    logging: Any = transformers.utils.logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    cls = getattr(transformers, config_of(folder)["architectures"][0])
    model, info = cls.from_pretrained(folder, output_loading_info=True, dtype="auto", **options)
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        assert not info.get(kind), (kind, info[kind])
    return model


def outputs(model: Any) -> Any:
    """What a model says of sixteen tokens."""
    import torch

    with torch.no_grad():
        return model(torch.arange(16)[None])[0].float()


def dense_model(folder: Path, weights: dict[str, Any]) -> Any:
    """The model of plain weights in ``folder`` with some of them replaced."""
    import torch

    model = loaded(folder).float()
    own = model.state_dict()
    with torch.no_grad():
        for name, weight in weights.items():
            own[name].copy_(weight)
    return model
