"""What stands where outputs go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compress_core.batch import Item, gather, prepare, refuse_overlaps, refuse_strangers, tidy_up
from compress_core.errors import OutputError, OutputExistsError, UsageError
from compress_core.journal import FOLDER, Entry, Journal
from tests.compress_core.batch.conftest import Make


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def overlap(*paths: str, out: str = "out", root: str | None = None) -> None:
    folder = Path(out)
    refuse_overlaps(gather(paths, folder, None if root is None else Path(root)).items, folder)


def test_two_inputs_with_one_output(make: Make, tmp_path: Path) -> None:
    make("m/a.safetensors")
    (tmp_path / "m" / "a.bin").write_bytes(b"")
    with pytest.raises(UsageError, match=r"two inputs with one output: m/a\.safetensors"):
        overlap("m/a.safetensors", "m/a.bin")


def test_an_output_inside_another(make: Make) -> None:
    make("m/llama/model.safetensors")
    with pytest.raises(UsageError, match="two inputs with one output"):
        overlap("m/llama", "m/llama/model.safetensors")


@pytest.mark.parametrize("out", ["m", "m/llama", "m/llama/deep"])
def test_an_output_that_is_an_input_or_lies_in_one(make: Make, out: str) -> None:
    make("m/a.safetensors")
    make("m/llama/model.safetensors")
    with pytest.raises(OutputExistsError, match="output"):
        overlap("m/a.safetensors", "m/llama", out=out)


def test_an_output_that_is_the_input_of_another_item(make: Make) -> None:
    make("m/a.safetensors")
    make("m/deep/a.safetensors")
    with pytest.raises(OutputExistsError, match="the output is the input"):
        overlap("m/a.safetensors", "m/deep/a.safetensors", out="m/deep")


def test_a_link_does_not_hide_an_input(make: Make, tmp_path: Path) -> None:
    make("m/a.safetensors")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.safetensors").symlink_to(tmp_path / "m" / "a.safetensors")
    with pytest.raises(OutputExistsError, match="the output is the input"):
        overlap("m/a.safetensors")
    (tmp_path / "out" / "a.safetensors").unlink()
    os.link(tmp_path / "m" / "a.safetensors", tmp_path / "out" / "a.safetensors")
    with pytest.raises(OutputExistsError, match="the output is the input"):
        overlap("m/a.safetensors")


def test_the_journal_s_name_is_taken() -> None:
    item = Item(".modelopt/a.safetensors", Path("x"), Path("out/.modelopt/a.safetensors"))
    with pytest.raises(UsageError, match="the journal"):
        refuse_overlaps([item], Path("out"))


def test_what_goes_together_is_let_through(make: Make) -> None:
    make("m/a.safetensors")
    make("m/llama/model.safetensors")
    overlap("m")
    overlap("m", out="m/out")


def test_strangers_are_refused_and_our_own_are_not(make: Make, tmp_path: Path) -> None:
    make("m/a.safetensors")
    out = tmp_path / "out"
    items = gather(["m"], out).items
    refuse_strangers(items, out)
    out.mkdir()
    (out / "a.safetensors").write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match="no batch has written it") as caught:
        refuse_strangers(items, out)
    assert caught.value.hint == "pass --force to replace it"
    Journal(out, "x").append(Entry("a.safetensors", "started", "s", "v"))
    refuse_strangers(items, out)


def test_the_folder_is_made(tmp_path: Path) -> None:
    prepare(tmp_path / "out")
    prepare(tmp_path / "out")
    assert (tmp_path / "out" / FOLDER).is_dir()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        prepare(tmp_path / "absent" / "out")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputExistsError, match="the output is a regular file"):
        prepare(tmp_path / "file")


def test_leftovers_of_the_dead_are_removed_and_nothing_else(tmp_path: Path) -> None:
    dead = 4_000_000_000  # larger than any process number
    for name in (
        f".a.safetensors.{dead}.part",
        f".b.safetensors.{dead}.part",
        ".a.safetensors.swp",
    ):
        (tmp_path / name).write_bytes(b"")
    tidy_up([Item(name, tmp_path, tmp_path / name) for name in ("a.safetensors", "c.safetensors")])
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [".a.safetensors.swp", f".b.safetensors.{dead}.part"]
    tidy_up([Item("x", tmp_path, tmp_path / "absent" / "x")])
