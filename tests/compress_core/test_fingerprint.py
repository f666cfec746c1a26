"""Known again when nothing changed, and never otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compress_core.errors import InputError
from compress_core.fingerprint import Fingerprint, bytes_at, path_of, text_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "w.bin"
    path.write_bytes(b"abc")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint"
    (path / "deep").mkdir(parents=True)
    (path / "model").write_bytes(b"weights")
    (path / "deep" / "tokens").write_bytes(b"words")
    return path


def test_a_file_s_content_is_its_sha256(file: Path) -> None:
    (member,) = Fingerprint.of(file).members
    assert (member.name, member.size) == ("", 3)
    assert member.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_is_all_that_is_not_hidden(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_bytes(b"x")
    (folder / ".hidden").write_bytes(b"x")
    (folder / "broken").symlink_to(folder / "nowhere")
    found = Fingerprint.of(folder)
    assert [one.name for one in found.members] == ["deep/tokens", "model"]
    assert bytes_at(folder) == 12


def test_what_is_untouched_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = Fingerprint.of(file)
    monkeypatch.setattr("compress_core.fingerprint.InputFile", None)
    assert taken.now(file) is taken or taken.now(file) == taken
    with pytest.raises(TypeError):
        taken.now(file, verify=True)


def test_the_same_content_with_another_time_is_the_same(file: Path) -> None:
    taken = Fingerprint.of(file)
    os.utime(file, ns=(1, 1))
    assert not taken.untouched(file)
    found = taken.now(file)
    assert found is not None
    assert found != taken
    assert found.untouched(file)


def test_a_moved_copy_is_the_same(folder: Path, tmp_path: Path) -> None:
    taken = Fingerprint.of(folder)
    folder.rename(tmp_path / "elsewhere")
    assert taken.now(tmp_path / "elsewhere") == taken


@pytest.mark.parametrize("change", ["content", "size", "less", "more", "gone"])
def test_what_has_changed_is_not_known_again(folder: Path, change: str) -> None:
    taken = Fingerprint.of(folder)
    if change == "content":
        (folder / "model").write_bytes(b"WEIGHTS")
    elif change == "size":
        (folder / "model").write_bytes(b"weights!")
    elif change == "less":
        (folder / "deep" / "tokens").unlink()
    elif change == "more":
        (folder / "config").write_bytes(b"")
    else:
        folder.rename(folder.with_name("away"))
    assert taken.now(folder) is None


def test_a_change_behind_the_back_is_found_when_asked_for(file: Path) -> None:
    taken = Fingerprint.of(file)
    times = os.stat(file)
    with file.open("r+b") as out:
        out.write(b"xyz")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert taken.now(file) == taken
    assert taken.now(file, verify=True) is None


def test_there_and_back(folder: Path) -> None:
    strange = os.fsdecode(b"caf\xe9 100%")
    (folder / strange).write_bytes(b"x")
    taken = Fingerprint.of(folder)
    assert Fingerprint.from_json(taken.to_json()) == taken
    assert taken.now(folder) == taken


@pytest.mark.parametrize("name", ["plain/name.bin", "100%", "a\nb", os.fsdecode(b"\xff"), "é"])
def test_every_path_is_a_text(name: str) -> None:
    assert text_of(name).isascii()
    assert path_of(text_of(name)) == name


@pytest.mark.parametrize(
    "data", [None, [], {}, [1], [{}], [{"name": "", "size": "3", "modified": 1, "inode": 1}]]
)
def test_other_data_are_refused(data: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        Fingerprint.from_json(data)


def test_what_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Fingerprint.of(tmp_path / "absent")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a named pipe"):
        Fingerprint.of(tmp_path / "pipe")
    assert bytes_at(tmp_path / "absent") == 0
