"""Batches to interrupt, and what can be seen of them from outside."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.reliability.tool import PATIENCE, ROOT, bare_environment

MARK = "BATCH_UNDER_TEST"
INT4 = ("--pass", "quantize bits=4 group_size=32")


def make_inputs(folder: Path, count: int) -> Path:
    """``count`` files with the tensors of a real one, no two alike, in folders of two levels."""
    real = load_file(ROOT / "sample_weights" / "fracast.safetensors")
    for number in range(count):
        path = folder / f"part{number % 3}" / f"w{number:02}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        scale = np.float32(1 + number / 64)
        save_file({name: tensor * scale for name, tensor in real.items()}, path)
    return folder


def marked(mark: str) -> dict[str, str]:
    """An environment by which all processes of a run can be found."""
    return bare_environment(**{MARK: mark})


def alive(mark: str) -> list[int]:
    """The processes of a run that are there (Linux only)."""
    wanted = f"{MARK}={mark}".encode()
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _has(pid, wanted)]


def wait_until_gone(mark: str, known: list[int]) -> None:
    """Wait for the end of all processes of a run.

    :param known: some of them; these are to be gone to the last trace, which a parent may keep.
    :raises AssertionError: some stay.
    """
    deadline = time.monotonic() + PATIENCE / 4
    while found := alive(mark) or [pid for pid in known if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, f"still there: {found}"
        time.sleep(0.01)


def journal(folder: Path) -> dict[Path, list[dict[str, Any]]]:
    """The lines of each journal; of a torn line nothing."""
    found = {}
    for path in sorted((folder / ".modelopt").glob("*.jsonl")):
        *lines, _ = path.read_bytes().split(b"\n")
        found[path] = [json.loads(line) for line in lines]
    return found


def done(folder: Path) -> set[str]:
    """The items that journals call done."""
    return {
        line["item"]
        for lines in journal(folder).values()
        for line in lines
        if line["status"] == "done"
    }


def outputs(folder: Path) -> dict[str, bytes]:
    """Every file that is not a journal, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".modelopt" not in path.parts
    }


def _has(pid: int, wanted: bytes) -> bool:
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # gone, or somebody else's
        return False
