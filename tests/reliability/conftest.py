"""Weights that take a moment, and a place that is full or read-only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.reliability.tool import Tool

Mount = Callable[[str], Path]


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """The command, in an empty folder of its own."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Tool(folder)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that keeps the tool busy for some tenths of a second. Not to be changed."""
    rng = np.random.default_rng(17)
    tensors = {
        f"layers.{layer}.up_proj.weight": rng.standard_normal((1024, 1024), dtype=np.float32)
        for layer in range(4)
    }
    path = tmp_path_factory.mktemp("large") / "large.safetensors"
    save_file(tensors, path)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A file of one matrix and one vector."""
    rng = np.random.default_rng(18)
    path = tmp_path / "small.safetensors"
    save_file({"up.weight": rng.standard_normal((64, 96)), "bias": np.ones(96)}, path)
    return path


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """``mount("size=64k")``: a file system in memory with these options, where that is allowed."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    mounted: list[Path] = []

    def make(options: str) -> Path:
        place = tmp_path / f"mounted-{len(mounted)}"
        place.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        except FileNotFoundError:
            pytest.skip("there is no mount command here")
        if done.returncode:
            pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield make
    for place in mounted:
        subprocess.run(["umount", str(place)], capture_output=True, check=False)
