"""The folder that names begin below: the first run decides."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compress_core.batch import Shard, gather, keep, prepare
from compress_core.batch import root as module
from compress_core.batch.root import NAME, recorded
from compress_core.errors import InputError, OutputError, UsageError
from compress_core.journal import FOLDER, Entry, Journal
from tests.compress_core.batch.conftest import Make

OUT = Path("out")
FILE = OUT / FOLDER / NAME


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("models/a", "models/deep/b", "models/deep/er/c", "other/d"):
        make(f"{name}.safetensors")


def names(*paths: str, out: Path = OUT, root: Path | None = None) -> list[str]:
    return [item.name for item in gather(paths, out, root).items]


def begin(*paths: str, root: Path | None = None) -> list[str]:
    """What a run does before its first item."""
    found = gather(paths, OUT, root)
    prepare(OUT)
    keep(OUT, found.root)
    return [item.name for item in found.items]


ALL = ["a.safetensors", "deep/b.safetensors", "deep/er/c.safetensors"]


def test_fewer_inputs_keep_their_names() -> None:
    assert begin("models") == ALL
    assert begin("models/deep") == ALL[1:]
    assert begin("models/deep/er/c.safetensors") == ALL[2:]
    assert begin("models/*/er/*") == ALL[2:]
    assert begin("models") == ALL


def test_more_inputs_below_it_move_no_other(make: Make) -> None:
    begin("models")
    make("models/new/e.safetensors")
    assert names("models") == [*ALL, "new/e.safetensors"]


def test_an_input_that_lies_elsewhere_is_refused(tmp_path: Path) -> None:
    begin("models")
    with pytest.raises(UsageError) as caught:
        begin("models", "other/d.safetensors")
    known = tmp_path / "models"
    assert caught.value.message == (
        f"the outputs in out are named below {known}, and these inputs lie below {tmp_path}"
    )
    assert caught.value.where == "other/d.safetensors"
    assert str(caught.value.hint).startswith(f"--root {known} ")
    assert names("models") == ALL


def test_an_input_that_lies_elsewhere_does_not_change_a_shard() -> None:
    def shares(*paths: str) -> list[list[str]]:
        return [[one for one in names(*paths) if Shard(i, 3).holds(one)] for i in (1, 2, 3)]

    begin("models")
    before = shares("models")
    with pytest.raises(UsageError):
        shares("models", "other")
    assert shares("models") == before
    assert sorted(name for share in before for name in share) == ALL


def test_another_root_is_refused_and_the_same_is_not(tmp_path: Path) -> None:
    assert begin("models/deep", root=Path()) == ["models/" + name for name in ALL[1:]]
    with pytest.raises(UsageError, match="named below") as caught:
        begin("models/deep", root=Path("models"))
    assert f"and not below {tmp_path / 'models'}" in caught.value.message
    assert caught.value.where == str(FILE)
    assert caught.value.hint == f"--root {tmp_path}"
    assert begin("models/deep", root=tmp_path) == begin("models/deep")
    # not what was asked for in the first run, and below it all the same
    assert begin("other") == ["other/d.safetensors"]


def test_a_hint_can_be_typed_whatever_the_folder_is_called(make: Make, tmp_path: Path) -> None:
    make("my models/a.safetensors")
    begin("my models")
    with pytest.raises(UsageError) as caught:
        names("other")
    assert f"--root '{tmp_path}/my models' " in str(caught.value.hint)


def test_a_link_to_it_is_the_same_root() -> None:
    begin("models")
    Path("link").symlink_to("models")
    assert names("link/deep") == names("link/deep", root=Path("link")) == ALL[1:]


def test_both_may_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin("models")
    there = tmp_path / "mount" / "elsewhere"
    there.mkdir(parents=True)
    shutil.move("models", there)
    shutil.move("out", there)
    monkeypatch.chdir(there)
    assert names("models/deep") == ALL[1:]
    with pytest.raises(UsageError) as caught:
        names(str(tmp_path / "other"))
    assert str(caught.value.hint).startswith(f"--root {there / 'models'} ")


def test_the_outputs_alone_may_be_moved(tmp_path: Path) -> None:
    begin("models")
    Path("deep/er").mkdir(parents=True)
    shutil.move("out", "deep/er")
    assert names("models/deep", out=Path("deep/er/out")) == ALL[1:]
    with pytest.raises(UsageError, match="named below"):
        names("other", out=Path("deep/er/out"))


def test_where_the_inputs_alone_were_moved_the_hint_is_another(tmp_path: Path) -> None:
    begin("models")
    shutil.move("models", "moved")
    hint = f"if it was moved there: rm {FILE}, and say --root {tmp_path / 'moved'}"
    for root in (None, Path("moved")):
        with pytest.raises(UsageError) as caught:
            names("moved", root=root)
        assert caught.value.hint == hint
    FILE.unlink()
    assert begin("moved/deep", root=Path("moved")) == ALL[1:]


def test_a_batch_of_before_gets_one() -> None:
    prepare(OUT)
    Journal(OUT, "1of1").append(Entry("a.safetensors", "started", "s", "v"))
    assert recorded(OUT) == ()
    begin("models")
    assert names("models/deep") == ALL[1:]


def test_any_path_can_be_kept(make: Make, tmp_path: Path) -> None:
    strange = os.fsdecode(b"m\xff\n%41")
    make(f"{strange}/a.safetensors")
    begin(strange)
    assert recorded(OUT) == (str(tmp_path / strange),)


def test_of_many_first_runs_one_decides() -> None:
    prepare(OUT)
    roots = [str(OUT.absolute() / str(number)) for number in range(16)]
    start, kept, refused = threading.Barrier(len(roots)), [], []

    def run(root: str) -> None:
        start.wait()
        try:
            keep(OUT, root)
            kept.append(root)
        except UsageError as error:
            refused.append(error)

    threads = [threading.Thread(target=run, args=[root]) for root in roots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(kept), len(refused)) == (1, 15)
    assert recorded(OUT) == (kept[0],)
    assert all(kept[0] in error.message for error in refused)
    assert [path.name for path in (OUT / FOLDER).glob("*.*")] == [NAME]


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_first_run_that_is_killed_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    prepare(OUT)
    with monkeypatch.context() as cruel:
        cruel.setattr(os, call, raising(KeyboardInterrupt()))
        cruel.setattr(Path, "unlink", lambda *_, **__: None)  # nor has it time to clean up
        with pytest.raises(KeyboardInterrupt):
            keep(OUT, "/a")
    assert recorded(OUT) == ()
    keep(OUT, "/b")
    assert recorded(OUT) == ("/b",)


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP])
def test_where_there_are_no_hard_links(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    prepare(OUT)
    monkeypatch.setattr(os, "link", raising(OSError(code, "no")))
    keep(OUT, "/a")
    keep(OUT, "/a")
    with pytest.raises(UsageError):
        keep(OUT, "/b")
    assert recorded(OUT) == ("/a",)


def test_a_disk_that_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(OUT)
    monkeypatch.setattr(os, "fsync", raising(OSError(errno.ENOSPC, "no")))
    with pytest.raises(OutputError, match="disk full") as caught:
        keep(OUT, "/a")
    assert caught.value.where == str(FILE)
    assert not list((OUT / FOLDER).glob("*.*"))


def said(**changed: Any) -> bytes:
    return json.dumps({"schema": module.SCHEMA, "root": "..", "absolute": "/", **changed}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        said()[:-5],
        b"[]",
        b"\xff",
        said(schema="modelopt.root/2"),
        said(root=None),
        said(root=""),
        said(root="/"),
        said(absolute=".."),
        said(absolute="/%00"),
        b" " * (module.MAX_BYTES + 1),
    ],
)
def test_a_damaged_one_is_said_and_can_be_mended(data: bytes) -> None:
    begin("models")
    FILE.write_bytes(data)
    with pytest.raises(InputError, match="the root of the batch cannot be read: ") as caught:
        names("models")
    assert caught.value.where == str(FILE)
    assert str(caught.value.hint).startswith(f"rm {FILE}, ")
    FILE.unlink()
    assert begin("models", root=Path("models")) == ALL


def test_what_is_no_file_is_not_read() -> None:
    prepare(OUT)
    os.mkfifo(FILE)
    with pytest.raises(InputError, match="a named pipe"):
        names("models")


def raising(error: BaseException) -> Callable[..., Any]:
    def call(*_: object, **__: object) -> None:
        raise error

    return call
