"""Inputs of a batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """``make("a/b.safetensors")``: a small weight file, below a folder of the test's own."""

    def weights(name: str, seed: int = 1) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        save_file({"up.weight": rng.standard_normal((32, 64), dtype=np.float32)}, path)
        return path

    return weights
