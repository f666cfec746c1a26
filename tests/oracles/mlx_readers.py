"""What MLX and mlx-lm make of a folder, and what they write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def tensors_of(folder: Path) -> dict[str, Any]:
    """All tensors of the files that mlx-lm looks for."""
    import mlx.core as mx

    found: dict[str, Any] = {}
    for file in sorted(folder.glob("model*.safetensors")):
        found |= mx.load(str(file))
    return found


def floats(array: Any) -> Floats:
    """Numbers of any dtype in float32, which holds them all."""
    import mlx.core as mx

    return np.array(array.astype(mx.float32))


def config_of(folder: Path) -> dict[str, Any]:
    """``config.json``."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config


def decoded(folder: Path) -> dict[str, Floats]:
    """The weights that MLX decodes, module by module, in float32."""
    import mlx.core as mx

    tensors, said = tensors_of(folder), config_of(folder)["quantization"]
    found: dict[str, Floats] = {}
    for name in sorted(tensors):
        module = name.removesuffix(".scales")
        if module == name:
            continue
        own = said.get(module, said)
        words, scales = tensors[f"{module}.weight"], tensors[name]
        biases = tensors.get(f"{module}.biases")
        affine = own.get("mode", "affine") == "affine"
        assert (biases is None) is not affine
        assert words.dtype == mx.uint32
        figures = [scales, biases]
        if affine:
            figures = [one.astype(mx.float32) for one in figures]
        plain = mx.dequantize(
            words,
            *figures,
            group_size=own["group_size"],
            bits=own["bits"],
            mode=own.get("mode", "affine"),
            dtype=mx.float32,
        )
        found[f"{module}.weight"] = floats(plain)
    return found


def outputs(folder: Path) -> Floats:
    """The logits of a few tokens by the model that mlx-lm loads, which is strict about names."""
    import mlx.core as mx
    from mlx_lm.utils import load_model

    model, config = load_model(folder)
    found = floats(model(mx.arange(8)[None] % config["vocab_size"]))
    assert np.isfinite(found).all()
    return found


def written_by_mlx(
    source: Path,
    target: Path,
    mode: str,
    bits: int | None = None,
    group: int | None = None,
    predicate: Callable[[str, Any], Any] | None = None,
) -> Path:
    """A folder that mlx-lm quantizes and saves."""
    from mlx_lm.utils import load_model, quantize_model, save_config, save_model

    model, config = load_model(source)
    model, config = quantize_model(model, config, group, bits, mode=mode, quant_predicate=predicate)
    save_model(target, model)
    save_config(config, target / "config.json")
    return target


def saved(model: Any, config: dict[str, Any], target: Path, bits: int, group: int) -> Path:
    """A folder of a model in memory, quantized."""
    from mlx_lm.utils import quantize_model, save_config, save_model

    model, config = quantize_model(model, config, group, bits)
    save_model(target, model)
    save_config(config, target / "config.json")
    return target
