"""From what somebody asks for to items and their names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compress_core.batch import Item, gather
from compress_core.errors import InputError, UsageError
from tests.compress_core.batch.conftest import Make

OUT = Path("out")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def names(*paths: str, out: Path = OUT, root: Path | None = None) -> list[str]:
    return [item.name for item in gather(paths, out, root).items]


def test_files_are_named_below_the_folder_that_has_them_all(make: Make) -> None:
    make("models/a.safetensors")
    make("models/deep/b.safetensors")
    found = gather(["models/a.safetensors", "models/deep/b.safetensors"], OUT)
    assert list(found.items) == [
        Item("a.safetensors", Path("models/a.safetensors"), OUT / "a.safetensors"),
        Item("deep/b.safetensors", Path("models/deep/b.safetensors"), OUT / "deep/b.safetensors"),
    ]


def test_a_file_on_its_own_has_its_own_name(make: Make) -> None:
    make("models/a.safetensors")
    assert names("models/a.safetensors") == names("./models/../models/a.safetensors")
    assert names("models/a.safetensors") == ["a.safetensors"]


def test_a_folder_is_walked_through(make: Make) -> None:
    for name in ("b.safetensors", "deep/a.safetensors", "model1/model.safetensors"):
        make(f"models/{name}")
    make("models/model1/more.safetensors")
    make("models/.cache/c.safetensors")
    Path("models/README.md").write_text("about them")
    assert names("models") == ["b.safetensors", "deep/a.safetensors", "model1"]


def test_names_do_not_depend_on_what_else_is_in_a_folder(make: Make) -> None:
    make("models/deep/a.safetensors")
    assert names("models") == names("models/**/*.safetensors") == ["deep/a.safetensors"]


def test_a_checkpoint_is_one_item_and_stays_a_folder(make: Make) -> None:
    make("models/llama/model.safetensors")
    (item,) = gather(["models/llama"], OUT).items
    assert (item.name, item.target) == ("llama", OUT / "llama")
    torch = Path("models/old")
    torch.mkdir()
    (torch / "pytorch_model.bin").write_bytes(b"")
    assert names("models") == ["llama", "old"]


def test_a_linked_folder_is_not_walked_through(make: Make) -> None:
    make("models/a.safetensors")
    Path("models/loop").symlink_to(Path("models").absolute())
    Path("models/linked.safetensors").symlink_to(Path("models/a.safetensors").absolute())
    assert names("models") == ["a.safetensors", "linked.safetensors"]


def test_a_pattern_is_expanded_here_too(make: Make) -> None:
    for name in ("a.safetensors", "b.safetensors", "x/c.safetensors"):
        make(f"models/{name}")
    assert names("models/*.safetensors") == ["a.safetensors", "b.safetensors"]
    assert names("models/[ab].*") == ["a.safetensors", "b.safetensors"]
    assert names("models/*") == ["a.safetensors", "b.safetensors", "x/c.safetensors"]
    assert names("mod*/x/*") == ["models/x/c.safetensors"]


def test_a_name_that_looks_like_a_pattern(make: Make) -> None:
    make("models/a[1].safetensors")
    make("models/a1.safetensors")
    assert names("models/a[1].safetensors") == ["a[1].safetensors"]


def test_an_input_counts_once(make: Make) -> None:
    make("models/a.safetensors")
    assert names("models", "models/a.safetensors", "models/*") == ["a.safetensors"]


def test_outputs_in_a_walked_folder_are_no_inputs(make: Make) -> None:
    make("models/a.safetensors")
    make("models/out/a.safetensors")
    inside = Path("models/out")
    assert names("models", out=inside) == ["a.safetensors"]
    assert names("models/**", out=inside) == ["a.safetensors"]
    assert names("models/a.safetensors", "models/out", out=inside) == ["a.safetensors"]
    assert names("models/*.safetensors", out=Path()) == ["a.safetensors"]


def test_damaged_and_unreadable_weights_are_items(make: Make, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "damaged.safetensors").write_bytes(b"no")
    os.mkfifo(tmp_path / "models" / "pipe.safetensors")
    assert names("models") == ["damaged.safetensors", "pipe.safetensors"]


def test_one_missing_input_is_enough_to_begin_nothing(make: Make) -> None:
    make("models/a.safetensors")
    with pytest.raises(UsageError, match="no such file") as caught:
        names("models/a.safetensors", "models/b.safetensors")
    assert caught.value.where == "models/b.safetensors"


def test_another_suffix_becomes_ours(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"")
    (item,) = gather(["w.bin"], OUT).items
    assert (item.name, item.target) == ("w.bin", OUT / "w.safetensors")


def test_a_root_makes_names_longer(make: Make) -> None:
    make("models/deep/a.safetensors")
    assert names("models/deep/a.safetensors", root=Path("models")) == ["deep/a.safetensors"]
    assert names("models/deep", root=Path()) == ["models/deep/a.safetensors"]
    with pytest.raises(UsageError, match="not below the root"):
        names("models/deep/a.safetensors", root=Path("elsewhere"))


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "there are no inputs"),
        (["absent.safetensors"], "no such file"),
        (["absent", "other"], "no such file"),
        (["*.safetensors"], "no file matches the pattern"),
        (["empty"], "no weights in this folder"),
        (["there.safetensors", "absent/*"], "no file matches the pattern"),
        (["there.safetensors", "empty"], "no weights in this folder"),
    ],
)
def test_nothing_is_never_a_batch(
    make: Make, tmp_path: Path, paths: list[str], message: str
) -> None:
    if "there.safetensors" in paths:
        make("there.safetensors")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message) as caught:
        gather(paths, OUT)
    assert caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed(make: Make) -> None:
    make("models/closed/a.safetensors").parent.chmod(0)
    with pytest.raises(InputError, match="permission denied"):
        names("models")
    Path("models/closed").chmod(0o700)


def test_a_suffix_of_two_parts_is_one(tmp_path: Path) -> None:
    (tmp_path / "t.pth.tar").write_bytes(b"x")
    (item,) = gather([str(tmp_path / "t.pth.tar")], tmp_path / "out").items
    assert (item.name, item.target) == ("t.pth.tar", tmp_path / "out" / "t.safetensors")
