"""Memory is bounded by tiles for every kind of file, those that are copied once included."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compress_core.formats.torch import assembler
from tests.reliability.peak import MIB, peak
from tests.reliability.tool import Tool

COLUMNS = 4096
LARGE = 192 * MIB
SMALL = 32 * MIB
ROWS = LARGE // (4 * COLUMNS)
FEW = SMALL // (4 * COLUMNS)


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tool]:
    """A folder with a large matrix, and a smaller one that is transposed, in files of all kinds."""
    found = Tool(tmp_path_factory.mktemp("memory"))
    write_zip(found.folder / "zip.bin")
    write_legacy(found.folder / "legacy.bin")
    write_arrays(found.folder / "deflated.npz", zipfile.ZIP_DEFLATED)
    write_arrays(found.folder / "stored.npz", zipfile.ZIP_STORED)
    yield found
    shutil.rmtree(found.folder)  # hundreds of megabytes, which pytest would keep for a while


def write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", assembler.pickled(weights(view=None)))
        write_zeros(archive, "archive/data/0", LARGE)
        write_zeros(archive, "archive/data/1", SMALL)


def write_legacy(path: Path) -> None:
    """Its zeros are a hole, which takes no room on the disk."""
    keys = assembler.list_of(assembler.text("0"), assembler.text("1"))
    head = assembler.MAGIC + assembler.VERSION + assembler.pickled(b"}")
    head += assembler.pickled(weights(view=assembler.NONE)) + assembler.pickled(keys)
    with path.open("wb") as file:
        file.write(head + (LARGE // 4).to_bytes(8, "little"))
        file.seek(LARGE, os.SEEK_CUR)
        file.write((SMALL // 4).to_bytes(8, "little"))
        file.truncate(file.tell() + SMALL)


def weights(view: bytes | None) -> bytes:
    large = assembler.storage("0", LARGE // 4, view=view)
    small = assembler.storage("1", SMALL // 4, view=view)
    return assembler.mapping(
        {
            "up.weight": assembler.tensor(large, (ROWS, COLUMNS), (COLUMNS, 1)),
            "head.weight": assembler.tensor(small, (FEW, COLUMNS), (1, FEW)),
        }
    )


def write_arrays(path: Path, method: int) -> None:
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        for name, rows, order in (("up.weight", ROWS, False), ("head.weight", FEW, True)):
            shape = f"({rows}, {COLUMNS})"
            text = f"{{'descr': '<f4', 'fortran_order': {order}, 'shape': {shape}}}\n".encode()
            head = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
            write_zeros(archive, f"{name}.npy", 4 * rows * COLUMNS, head)


def write_zeros(archive: zipfile.ZipFile, name: str, count: int, head: bytes = b"") -> None:
    """Write a member piece by piece: this process must not have much memory either."""
    info = zipfile.ZipInfo(name)
    info.compress_type = archive.compression
    with archive.open(info, "w") as member:
        member.write(head)
        for _ in range(count // MIB):
            member.write(bytes(MIB))


@pytest.mark.parametrize("name", ["zip.bin", "legacy.bin", "deflated.npz", "stored.npz"])
def test_a_file_larger_than_the_limit_goes_through(tool: Tool, name: str) -> None:
    limit = ["--max-memory", "150MiB"]
    for arguments in (
        ["compress", name, *limit, "-o", "out", "-f"],
        ["quantize", name, "--bits", "4", "--group-size", "64", *limit, "-o", "out", "-f"],
    ):
        used = peak(tool, *arguments)
        assert used < 150 * MIB < LARGE, f"{arguments[0]}: {used / MIB:.0f} MiB"


@pytest.mark.parametrize("name", ["zip.bin", "legacy.bin", "deflated.npz", "stored.npz"])
def test_headers_take_no_memory_for_the_data(tool: Tool, name: str) -> None:
    for arguments in (["inspect", name], ["plan", name, "--pass", "quantize bits=4"]):
        used = peak(tool, *arguments)
        assert used < 64 * MIB, f"{arguments[0]}: {used / MIB:.0f} MiB"
