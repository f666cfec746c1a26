"""Files that others wrote: regular ones, by position, and nothing that hangs."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from compress_core.errors import InputError
from compress_core.inputs import InputFile, kind_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.write_bytes(b"0123456789")
    return path


def test_reads_by_position(path: Path) -> None:
    file = InputFile(path)
    assert file.size == 10
    assert file.read(2, 5) == b"234"
    assert file.read(3, 3) == b""
    into = bytearray(4)
    file.read_into(memoryview(into), 6)
    assert into == b"6789"
    file.close()


def test_beyond_the_end_is_a_change(path: Path) -> None:
    file = InputFile(path)
    with pytest.raises(InputError, match="changed while it was read") as caught:
        file.read(8, 12)
    assert caught.value.where == str(path)
    file.close()


def test_a_link_is_followed(path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    file = InputFile(link)
    assert file.path == link
    assert file.read(0, 1) == b"0"
    file.close()


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, said in (("pipe", "a named pipe"), ("loop", "a loop"), ("no", "no such file")):
        with pytest.raises(InputError, match=said):
            InputFile(tmp_path / name)
    with pytest.raises(InputError, match="a folder, not a regular file"):
        InputFile(tmp_path)
    with pytest.raises(InputError, match="a device"):
        InputFile(Path("/dev/zero"))


def test_a_name_that_changes_hands(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe in the place of the file that was looked at: opened without blocking, then refused."""
    real = os.open
    pipe = path.with_name("pipe")
    os.mkfifo(pipe)
    monkeypatch.setattr(os, "open", lambda _, flags: real(pipe, flags))
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(InputError, match="a named pipe"):
        InputFile(path)
    assert len(os.listdir("/dev/fd")) == before


def test_too_many_open_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", exhausted)
    with pytest.raises(InputError, match="too many open files") as caught:
        InputFile(path)
    assert "ulimit" in (caught.value.hint or "")


def test_a_broken_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    file = InputFile(path)
    monkeypatch.setattr(os, "preadv", broken)
    with pytest.raises(InputError, match="input/output error"):
        file.read(0, 1)
    file.close()


def test_kinds_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert kind_of(os.stat("socket").st_mode) == "a socket"
    assert kind_of(stat.S_IFREG) == "a regular file"
    assert kind_of(stat.S_IFCHR) == "a device"
