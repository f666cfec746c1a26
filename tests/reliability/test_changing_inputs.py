"""Inputs that change while they are read, and inputs that are no files: exit 3, never a signal."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.compress_core.formats.torch import assembler
from tests.reliability.conftest import Mount
from tests.reliability.disturbed import CHANGES
from tests.reliability.tool import Tool, bare_environment, check_error

Array = np.ndarray[Any, Any]

ROWS, COLUMNS = 768, 512
SHARDS = ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin")


def matrix(seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal((ROWS, COLUMNS), dtype=np.float32)


def safetensors(path: Path, array: Array) -> None:
    save_file({"w": array}, path)


def npy(path: Path, array: Array) -> None:
    np.save(path, array)


def fortran(path: Path, array: Array) -> None:
    np.save(path, np.asfortranarray(array))


def stored(path: Path, array: Array) -> None:
    np.savez(path, w=array)


def deflated(path: Path, array: Array) -> None:
    np.savez_compressed(path, w=array)


def torch_zip(path: Path, array: Array) -> None:
    tensor = assembler.tensor(storage(), (ROWS, COLUMNS), (COLUMNS, 1))
    path.write_bytes(assembler.zipped(named("w", tensor), {"0": array.tobytes()}))


def transposed(path: Path, array: Array) -> None:
    tensor = assembler.tensor(storage(), (COLUMNS, ROWS), (1, COLUMNS))
    path.write_bytes(assembler.zipped(named("w", tensor), {"0": array.tobytes()}))


def legacy(path: Path, array: Array) -> None:
    kept = assembler.storage("0", array.size, view=assembler.NONE)
    tensor = assembler.tensor(kept, (ROWS, COLUMNS), (COLUMNS, 1))
    path.write_bytes(assembler.legacy(named("w", tensor), {"0": array.tobytes()}))


def storage() -> bytes:
    return assembler.storage("0", ROWS * COLUMNS)


def named(name: str, tensor: bytes) -> bytes:
    return assembler.mapping({name: tensor})


Make = Callable[[Path, Array], None]

KINDS: Mapping[str, tuple[str, Make]] = {
    "safetensors": ("w.safetensors", safetensors),
    "array": ("w.npy", npy),
    "array in Fortran order": ("w.npy", fortran),
    "stored arrays": ("w.npz", stored),
    "deflated arrays": ("w.npz", deflated),
    "PyTorch": ("w.pt", torch_zip),
    "PyTorch, transposed": ("w.pt", transposed),
    "PyTorch before 1.6": ("w.pth", legacy),
}


@dataclass(frozen=True)
class Disturbed:
    """What the command came to, and what it must have come to.

    :ivar good: digest of the output of the undisturbed run.
    """

    good: str
    runs: list[dict[str, Any]]

    def of(self, change: str) -> list[dict[str, Any]]:
        return [run for run in self.runs if run["change"] == change]


def disturbed(tool: Tool, given: Path, changed: Path, other: Path) -> Disturbed:
    (tool.folder / "out").mkdir()
    scratch = tool.folder / "scratch"
    scratch.mkdir()
    prefix = (sys.executable, "-m", "tests.reliability.disturbed")
    ran = replace(tool, prefix=prefix).run(
        *(given, changed, other, tool.folder / "out" / "out.safetensors"),
        environment=bare_environment(TMPDIR=str(scratch)),
    )
    assert ran.code == 0, ran.err
    first, *others = map(json.loads, ran.out.splitlines())
    assert first["code"] == 0, first["err"]
    assert os.listdir(scratch) == []
    return Disturbed(first["output"], others)


def check(found: Disturbed, changed: str) -> None:
    """Refused by name, or what was read before the change, as a whole; and nothing is left over."""
    assert {run["change"] for run in found.runs} == {change.__name__ for change in CHANGES}
    for run in found.runs:
        assert run["beside"] == [], run
        assert run["code"] in (0, 3), run
        if run["code"] == 0:
            assert run["output"], run
        else:
            assert run["output"] is None, run
            assert run["err"].count("error: ") == 1, run
            assert changed in run["err"], run
            assert "Traceback" not in run["err"], run
    for change in ("shrink", "empty", "grow", "write_into"):
        assert {run["code"] for run in found.of(change)} == {3}, found.of(change)
        assert any("changed while it was read" in run["err"] for run in found.of(change))
    # an open file stays what it was, whatever becomes of its name
    assert found.of("vanish")[-1]["output"] == found.good
    assert found.of("replace")[-1]["output"] == found.good


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_changes(tool: Tool, kind: str) -> None:
    name, make = KINDS[kind]
    path, other = tool.folder / name, tool.folder / f"other-{name}"
    make(path, matrix(1))
    make(other, matrix(2))
    found = disturbed(tool, path, path, other)
    check(found, name)
    outputs = {run["output"] for run in found.of("replace") if run["code"] == 0}
    assert len(outputs - {found.good}) <= 1, "a mixture of two files"


@pytest.mark.slow
def test_a_shard_that_changes(tool: Tool) -> None:
    folder = tool.folder / "checkpoint"
    folder.mkdir()
    for number, shard in enumerate(SHARDS):
        tensor = assembler.tensor(storage(), (ROWS, COLUMNS), (COLUMNS, 1))
        data = {"0": matrix(number).tobytes()}
        (folder / shard).write_bytes(assembler.zipped(named(f"w{number}", tensor), data))
    weight_map = {f"w{number}": shard for number, shard in enumerate(SHARDS)}
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    other = tool.folder / "other"
    tensor = assembler.tensor(storage(), (ROWS, COLUMNS), (COLUMNS, 1))
    other.write_bytes(assembler.zipped(named("w1", tensor), {"0": matrix(3).tobytes()}))
    check(disturbed(tool, folder, folder / SHARDS[1], other), SHARDS[1])


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder_of_nothing(path: Path) -> None:
    path.mkdir()


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def forbidden(path: Path) -> None:
    npy(path.with_suffix(".npy"), matrix(1))
    os.replace(path.with_suffix(".npy"), path)
    path.chmod(0)


def as_anybody() -> None:
    """In a new process: root gives up the right to read what it may not."""
    if sys.platform == "linux" and os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def may_read(path: Path) -> bool:
    command = ["cat", str(path)]
    quiet = subprocess.DEVNULL
    ran = subprocess.run(command, preexec_fn=as_anybody, stdout=quiet, stderr=quiet, check=False)
    return ran.returncode == 0


NO_FILES: dict[Callable[[Path], None], str] = {
    pipe: "a named pipe",
    folder_of_nothing: "no model.safetensors",
    link_to_nothing: "no such file",
    link_to_itself: "a loop of symbolic links",
    link_to_a_device: "a device",
    forbidden: "permission denied",
}


@pytest.mark.parametrize("make", NO_FILES, ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", ["w.npy", "w.npz", "w.pt", "w.bin", "w.safetensors"])
def test_what_is_no_file(tool: Tool, make: Callable[[Path], None], name: str) -> None:
    make(tool.folder / name)
    if make is forbidden and may_read(tool.folder / name):
        pytest.skip("root may read everything here")
    ran = tool.run("inspect", name, before=as_anybody)
    assert ran.code == 3, ran.err
    assert NO_FILES[make] in ran.err
    assert name in ran.err
    assert ran.err.count("error: ") == 1


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/full"])
def test_devices(tool: Tool, device: str) -> None:
    """They are named as inputs only: nothing here ever writes to one."""
    if not Path(device).exists():
        pytest.skip(f"no {device} here")
    ran = tool.run("compress", device, "-o", "out.safetensors")
    assert ran.code == 3
    assert "a device, not a regular file" in ran.err
    assert os.listdir(tool.folder) == []


@pytest.mark.parametrize("make", [pipe, link_to_nothing, link_to_a_device, folder_of_nothing])
@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json", SHARDS[0]])
def test_what_is_no_file_in_a_folder(tool: Tool, make: Callable[[Path], None], name: str) -> None:
    folder = tool.folder / "checkpoint"
    folder.mkdir()
    if name in SHARDS:
        index = {"weight_map": {"w": name}}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    make(folder / name)
    ran = tool.run("inspect", folder)
    assert ran.code == 3
    assert name in ran.err


class TestNoRoom:
    """What has to be copied first needs room among the temporary files."""

    @pytest.fixture(params=["deflated arrays", "PyTorch, transposed"])
    def path(self, request: pytest.FixtureRequest, tool: Tool) -> Path:
        name, make = KINDS[request.param]
        make(tool.folder / name, matrix(1))
        return tool.folder / name

    def test_it_is_known_before(self, tool: Tool, path: Path, mount: Mount) -> None:
        place = mount("size=1m")
        environment = bare_environment(TMPDIR=str(place))
        ran = tool.run("compress", path, "-o", "out.safetensors", environment=environment)
        check_error(ran, 4, "disk full: needs", "TMPDIR")
        assert os.listdir(place) == []
        assert os.listdir(tool.folder) == [path.name]

    def test_it_is_taken_meanwhile(self, tool: Tool, path: Path) -> None:
        """Somebody else fills the disk after it was looked at."""
        scratch = tool.folder / "scratch"
        scratch.mkdir()
        full = replace(tool, prefix=(sys.executable, "-c", FULL))
        environment = bare_environment(TMPDIR=str(scratch))
        ran = full.run("compress", path, "-o", "out.safetensors", environment=environment)
        check_error(ran, 4, "disk full", "TMPDIR")
        assert os.listdir(scratch) == []
        assert sorted(os.listdir(tool.folder)) == ["scratch", path.name]


FULL = """
import errno, os, sys

from modelopt_cli import main

real = os.pwrite
left = [600_000]

def pwrite(number, data, offset):
    if "scratch" in os.readlink(f"/proc/self/fd/{number}"):
        left[0] -= len(data)
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return real(number, data, offset)

os.pwrite = pwrite
sys.exit(main.run(sys.argv[1:]))
"""
