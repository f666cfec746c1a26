"""Weight files with any dtype that a header can name, written without our own code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

from compress_core import compress, from_config

Raw = Mapping[str, tuple[str, NDArray[Any]]]
Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write tensors, each given as its code and the array whose bytes it gets.

    ``shapes`` says the shapes of those that are not the array's own.
    """

    def write(
        file: str,
        tensors: Raw,
        *,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Path:
        header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
        end = 0
        for name, (code, array) in tensors.items():
            start, end = end, end + array.nbytes
            shape = (shapes or {}).get(name, array.shape)
            header[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = tmp_path / file
        data = b"".join(array.tobytes() for _, array in tensors.values())
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
        return path

    return write


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """Three layers, a norm and some integers."""
    rng = np.random.default_rng(3)
    tensors = {
        f"layers.{layer}.up.weight": rng.standard_normal((64, 96), dtype=np.float32)
        for layer in range(3)
    }
    tensors["norm.weight"] = rng.standard_normal(96, dtype=np.float32)
    path = tmp_path / "original.safetensors"
    save_file({**tensors, "index": np.arange(7)}, path)
    return path


@pytest.fixture
def packed(original: Path, tmp_path: Path) -> Path:
    """The same, pruned by half and in four bits."""
    passes = [{"pass": "prune", "sparsity": 0.5}, {"pass": "quantize", "bits": 4, "group_size": 32}]
    spec = from_config({"version": 1, "passes": passes})
    compress(original, tmp_path / "packed.safetensors", spec)
    return tmp_path / "packed.safetensors"
