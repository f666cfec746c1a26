"""Small models and Gram files of what their layers get, as arrays to be saved or spoilt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

Arrays = dict[str, NDArray[Any]]


def model(rows: int = 300, columns: int = 48) -> Arrays:
    """Two layers and a vector. The rows do not fit into one block of products."""
    random = np.random.default_rng(3)
    return {
        "up.weight": random.standard_normal((rows, columns)).astype(np.float32),
        "down.weight": random.standard_normal((columns, 32)).astype(np.float32),
        "norm.weight": np.ones(columns, np.float32),
    }


def moments(columns: int, seed: int) -> Arrays:
    """What inputs that hang together have for moments."""
    random = np.random.default_rng(seed)
    layer = np.random.default_rng(columns)
    mixing = layer.standard_normal((columns, columns)) * np.exp(layer.standard_normal(columns))
    inputs = random.standard_normal((600, columns)) @ mixing + 0.3
    return {
        "gram": (inputs.T @ inputs / len(inputs)).astype(np.float32),
        "mean": inputs.mean(axis=0).astype(np.float32),
        "count": np.array(len(inputs)),
    }


def grams(weights: Arrays, *, held_out: bool = True) -> Arrays:
    """A Gram file of all matrices of a model."""
    found: Arrays = {}
    for name, tensor in weights.items():
        if tensor.ndim < 2:
            continue
        stem, columns = name.removesuffix(".weight"), tensor.shape[1]
        found |= {f"{stem}.{key}": one for key, one in moments(columns, 1).items()}
        if held_out:
            found |= {f"{stem}.held_out.{key}": one for key, one in moments(columns, 2).items()}
    return found


def saved(path: Path, arrays: Arrays) -> Path:
    save_file(arrays, path)
    return path
