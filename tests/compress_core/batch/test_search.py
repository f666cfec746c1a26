"""What is found by walking, and what is left out because it is the output of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core.batch.search import Search
from compress_core.errors import UsageError
from compress_core.journal import FOLDER, Entry, Journal
from tests.compress_core.batch.conftest import Make

SKIPPED = ("skipped models/old: it holds the outputs of a batch",)
NAMED = ("models/old holds the outputs of a batch: inputs, since named",)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("models/a", "models/old/a", "models/old/deep/b"):
        make(f"{name}.safetensors")
    Path("models/old", FOLDER).mkdir()
    Journal(Path("models/old"), "1of1").append(Entry("a.safetensors", "started", "s", "v"))


def found(path: str, out: str = "out") -> tuple[list[str], tuple[str, ...]]:
    search = Search(Path(out))
    return list(search.find(path).sources), search.notes


@pytest.mark.parametrize(
    "path", ["models", "models/**/*.safetensors", "models/*", "models/**", "*/*", "./models/*"]
)
def test_outputs_of_another_batch_are_left_out(path: str) -> None:
    sources, notes = found(path)
    assert {Path(source) for source in sources} == {Path("models/a.safetensors")}
    assert notes == SKIPPED


def test_they_are_also_if_they_look_like_a_checkpoint(make: Make) -> None:
    make("models/old/model.safetensors")
    assert found("models") == (["models/a.safetensors"], SKIPPED)


def test_they_are_inputs_if_their_folder_is_named() -> None:
    walked = ["models/old/a.safetensors", "models/old/deep/b.safetensors"]
    assert found("models/old") == (walked, NAMED)
    assert found("models/old/**/*.safetensors") == (walked, NAMED)
    assert found("models/old/a.safetensors") == (walked[:1], ())


def test_what_is_left_of_a_batch_s_own_folder_need_not_be_said() -> None:
    assert found("models", "models/old") == (["models/a.safetensors"], ())
    assert found("models/**/*.safetensors", "models/old") == (["models/a.safetensors"], ())
    assert found("models/old", "models/old") == ([], ())


def test_a_folder_without_journals_is_one_like_any_other() -> None:
    for journal in Path("models/old", FOLDER).glob("*.jsonl"):
        journal.unlink()
    sources, notes = found("models")
    assert (len(sources), notes) == (3, ())


@pytest.mark.parametrize("path", ["more", "more/**/*.safetensors"])
def test_if_nothing_else_is_there_the_error_says_so(path: str) -> None:
    Path("models").rename("more")
    Path("more/a.safetensors").unlink()
    with pytest.raises(UsageError, match="but the outputs of a batch") as caught:
        found(path)
    assert caught.value.hint == "to take them as inputs, name their folder: more/old"
