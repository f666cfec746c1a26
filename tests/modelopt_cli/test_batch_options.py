"""The flags of a batch."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from compress_core.errors import UsageError
from compress_core.tiling import LEAST_MEMORY
from modelopt_cli.batch_options import Gathering, Sharing


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c d"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    monkeypatch.chdir(tmp_path)


def names(*paths: str, filelist: str | None = None) -> list[str]:
    return [item.name for item in Gathering(Path("out"), filelist).gathered(paths).items]


@pytest.mark.usefixtures("inputs")
def test_a_list_of_files_comes_after_the_paths(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"b.safetensors\r\n\n  \nc d.safetensors\na*")
    assert names("a.safetensors", filelist="list") == [
        "a.safetensors",
        "b.safetensors",
        "c d.safetensors",
    ]


@pytest.mark.usefixtures("inputs")
def test_names_in_a_list_may_have_any_bytes(tmp_path: Path) -> None:
    strange = os.fsdecode(b"\xff.safetensors")
    (tmp_path / strange).write_bytes(b"")
    (tmp_path / "list").write_bytes(b"\xff.safetensors\n")
    assert names(filelist="list") == [strange]


@pytest.mark.usefixtures("inputs")
def test_a_list_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(b"a.safetensors\n"))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert names(filelist="-") == ["a.safetensors"]


@pytest.mark.usefixtures("inputs")
def test_no_inputs(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\n")
    for filelist, message in (
        (None, "no inputs"),
        ("list", "there are no inputs"),
        ("absent", "the list of files cannot be read: no such file"),
    ):
        with pytest.raises(UsageError, match=message):
            names(filelist=filelist)


def test_there_are_no_more_processes_than_items() -> None:
    assert Sharing(jobs=3).processes(2) == 2
    assert Sharing(jobs=3).processes(9) == 3
    assert Sharing(jobs=3).processes(0) == 1
    assert 1 <= Sharing().processes(100) <= 4


def test_there_are_no_more_processes_than_memory_if_nobody_asked_for_them() -> None:
    assert Sharing(max_memory=LEAST_MEMORY).processes(9) == 1
    assert Sharing(max_memory=LEAST_MEMORY - 1).processes(9) == 1  # `limits` says no


def test_memory_is_shared() -> None:
    assert Sharing().limits(4) == {}
    assert Sharing(max_memory=4 * LEAST_MEMORY).limits(4) == {"max_memory": LEAST_MEMORY}
    with pytest.raises(UsageError, match="too little for 4 processes") as caught:
        Sharing(max_memory=4 * LEAST_MEMORY - 1).limits(4)
    assert caught.value.hint == "--max-memory '288 MiB', or fewer --jobs"


def test_the_shard() -> None:
    assert str(Sharing(shard="auto").chosen({"JOB_COMPLETION_INDEX": "0", "JOB_COMPLETIONS": "2"}))
    with pytest.raises(UsageError):
        Sharing(shard="0/2").chosen({})
