"""The temporary file: fixed places, filled once, and nothing left of it."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from compress_core.errors import InputError, OutputError
from compress_core.views.spool import Region, Spool


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _read(region: Region, start: int, length: int) -> bytes:
    data = bytearray(length)
    region.read_into(memoryview(data), start)
    return bytes(data)


def test_regions_are_filled_when_they_are_read(folder: Path) -> None:
    filled = []

    def fill(region: Region) -> None:
        filled.append(region)
        for place in range(0, region.size, 5):
            region.write(memoryview(b"%05d" % len(filled)), place)

    spool = Spool("x")
    one, two = spool.reserve(10, fill), spool.reserve(5, fill)
    assert spool.size == 15
    assert _read(two, 0, 5) == b"00001"
    assert _read(one, 3, 4) == b"0200"
    assert _read(two, 4, 1) == b"1"
    assert filled == [two, one]
    assert os.listdir(folder) == []
    spool.close()
    spool.close()


def test_a_region_is_filled_once_for_all_threads() -> None:
    filled = []

    def fill(region: Region) -> None:
        filled.append(region)
        region.write(memoryview(bytes(range(100))), 0)

    spool = Spool("x")
    region = spool.reserve(100, fill)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: _read(region, start, 1), range(100)))
    assert b"".join(found) == bytes(range(100))
    assert filled == [region]
    spool.close()


def test_a_region_that_failed_is_filled_again() -> None:
    attempts = []

    def fill(region: Region) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise InputError("damaged")
        region.write(memoryview(b"ok"), 0)

    spool = Spool("x")
    region = spool.reserve(2, fill)
    with pytest.raises(InputError, match="damaged"):
        _read(region, 0, 2)
    assert _read(region, 0, 2) == b"ok"
    spool.close()


def test_the_next_region_is_out_of_reach() -> None:
    spool = Spool("x")
    region = spool.reserve(2, lambda region: region.write(memoryview(b"abc"), 0))
    spool.reserve(9, lambda region: None)
    with pytest.raises(IndexError):
        _read(region, 0, 2)
    with pytest.raises(IndexError):
        _read(region, 1, 2)
    spool.close()


def test_a_closed_spool_says_so() -> None:
    spool = Spool("model.pt")
    region = spool.reserve(2, lambda region: region.write(memoryview(b"ab"), 0))
    _read(region, 0, 2)
    spool.close()
    with pytest.raises(InputError, match="after it was closed") as caught:
        _read(region, 0, 2)
    assert caught.value.where == "model.pt"


def test_too_little_space(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(f_bavail=2, f_frsize=1024, f_blocks=9)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    spool = Spool("x")
    region = spool.reserve(1000, lambda region: region.write(memoryview(b"ab"), 0))
    spool.reserve(2000, lambda region: None)
    with pytest.raises(OutputError, match=r"needs 2.93 KiB.* 2.00 KiB free") as caught:
        _read(region, 0, 2)
    assert "folder of temporary files" in caught.value.message
    assert caught.value.where == str(folder)
    assert "TMPDIR=" in (caught.value.hint or "")


@contextmanager
def _files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_that_fails(folder: Path) -> None:
    spool = Spool("x")
    region = spool.reserve(9000, lambda region: region.write(memoryview(bytes(9000)), 0))
    with _files_of_at_most(4096), pytest.raises(OutputError, match="larger than files") as caught:
        _read(region, 0, 1)
    assert caught.value.where == str(folder)
    assert caught.value.hint is not None
    spool.close()


def test_bytes_that_nobody_wrote() -> None:
    spool = Spool("x")
    region = spool.reserve(9, lambda region: None)
    with pytest.raises(OutputError, match="folder of temporary files"):
        _read(region, 0, 1)
    spool.close()


def test_a_folder_that_is_gone(folder: Path) -> None:
    folder.rmdir()
    region = Spool("x").reserve(1, lambda region: region.write(memoryview(b"a"), 0))
    with pytest.raises(OutputError, match="no such folder") as caught:
        _read(region, 0, 1)
    assert caught.value.where == str(folder)


def test_no_folder_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    region = Spool("x").reserve(1, lambda region: region.write(memoryview(b"a"), 0))
    with pytest.raises(OutputError, match="no folder for temporary files") as caught:
        _read(region, 0, 1)
    assert "TMPDIR" in (caught.value.hint or "")
