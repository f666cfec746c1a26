"""One item after another: done once, and done again when something is not as it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import compress_core
from compress_core import Spec, from_config
from compress_core.batch import Bench, Item, Order, Outcome, prepare
from compress_core.batch import bench as module
from compress_core.fingerprint import Fingerprint
from compress_core.journal import FOLDER
from compress_core.settings import Settings
from tests.compress_core.batch.conftest import Make

INT4 = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
INT8 = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 8}]})

Do = Callable[..., Outcome]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    prepare(tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def item(make: Make, out: Path) -> Item:
    return Item("deep/a.safetensors", make("m/deep/a.safetensors"), out / "deep/a.safetensors")


@pytest.fixture
def do(out: Path) -> Do:
    """Do an item at a new bench, as another run would."""

    def once(item: Item, spec: Spec = INT4, **details: Any) -> Outcome:
        order = Order(folder=details.pop("out", out), spec=spec, **details)
        with Bench(order) as bench:
            outcome = bench.do(item)
        assert outcome is not None
        return outcome

    return once


def lines(out: Path, status: str) -> int:
    found = (path.read_text() for path in (out / FOLDER).glob("*.jsonl"))
    return sum(json.loads(line)["status"] == status for text in found for line in text.splitlines())


def test_done_then_resumed_with_the_same_figures(do: Do, item: Item, out: Path) -> None:
    first = do(item)
    assert (first.state, first.layout) == ("done", "packed")
    assert first.totals["bytes_out"] == item.target.stat().st_size
    before = item.target.stat()
    again = do(item)
    assert again.state == "resumed"
    assert again.totals == first.totals
    assert item.target.stat() == before
    assert lines(out, "started") == lines(out, "done") == 1


@pytest.mark.parametrize(
    "change",
    ["input", "spec", "version", "nonfinite", "missing", "truncated", "replaced", "journal"],
)
def test_what_is_not_as_it_was_is_done_again(
    do: Do, item: Item, make: Make, out: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    do(item)
    expected = item.target.read_bytes()
    details: dict[str, Any] = {}
    if change == "input":
        make("m/deep/a.safetensors", seed=2)
    elif change == "spec":
        details["spec"] = INT8
    elif change == "version":
        monkeypatch.setattr(module, "__version__", "99")
    elif change == "nonfinite":
        details["settings"] = Settings(on_nonfinite="keep")
    elif change == "missing":
        item.target.unlink()
    elif change == "truncated":
        os.truncate(item.target, 100)
    elif change == "replaced":
        item.target.write_bytes(expected[::-1])
    else:
        for path in (out / FOLDER).glob("*.jsonl"):
            path.write_bytes(path.read_bytes().replace(b'"done"', b'"dome"'))
    assert do(item, **details).state == "done"
    assert (item.target.read_bytes() == expected) == (change not in ("input", "spec"))
    assert do(item, **details).state == "resumed"


def test_going_back_to_an_earlier_spec_is_noticed(do: Do, item: Item) -> None:
    assert do(item, INT4).state == "done"
    assert do(item, INT8).state == "done"
    assert do(item, INT4).state == "done"
    assert do(item, INT4).state == "resumed"


def test_a_folder_may_be_moved(do: Do, item: Item, out: Path, tmp_path: Path) -> None:
    do(item)
    shutil.copytree(tmp_path / "m", tmp_path / "copy")  # other times and inodes
    out.rename(tmp_path / "elsewhere")
    there = tmp_path / "elsewhere"
    moved = Item(item.name, tmp_path / "copy" / item.name, there / item.name)
    assert do(moved, out=there).state == "resumed"
    assert str(tmp_path) not in "".join(
        path.read_text() for path in (there / FOLDER).glob("*.jsonl")
    )


def test_what_was_looked_at_closely_is_not_looked_at_so_again(
    do: Do, item: Item, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(item)
    os.utime(item.source, ns=(1, 1))
    assert do(item).state == "resumed"
    monkeypatch.setattr("compress_core.fingerprint.InputFile", None)
    assert do(item).state == "resumed"
    assert lines(out, "started") == 1


def test_verify_finds_what_was_changed_behind_the_back(do: Do, item: Item) -> None:
    do(item)
    expected = item.target.read_bytes()
    times = item.target.stat()
    with item.target.open("r+b") as file:
        file.seek(len(expected) - 1)
        file.write(bytes([expected[-1] ^ 1]))
    os.utime(item.target, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert do(item).state == "resumed"
    assert do(item, verify=True).state == "done"
    assert item.target.read_bytes() == expected


def test_a_failure_is_an_outcome_and_is_tried_again(do: Do, item: Item, out: Path) -> None:
    whole = item.source.read_bytes()
    item.source.write_bytes(whole[:-1])
    failed = do(item)
    assert (failed.state, failed.kind, failed.where) == ("failed", "FormatError", str(item.source))
    assert failed.message
    assert not item.target.exists()
    assert lines(out, "failed") == 1
    item.source.write_bytes(whole)
    assert do(item).state == "done"


def test_a_missing_input_fails(do: Do, item: Item) -> None:
    item.source.unlink()
    failed = do(item)
    assert (failed.state, failed.message) == ("failed", "no such file")
    assert str(failed.error) == f"{item.name}: no such file ({item.source})"


def test_what_no_batch_has_written_is_not_replaced(do: Do, item: Item) -> None:
    item.target.parent.mkdir()
    item.target.write_bytes(b"precious")
    for _ in range(2):  # the attempt does not make it ours
        assert do(item).kind == "OutputExistsError"
        assert item.target.read_bytes() == b"precious"
    assert do(item, settings=Settings(replace=True)).state == "done"


def first_and_then(killed: Any) -> Any:
    """``Fingerprint.of`` of the input, and instead of that of the output something else."""
    really, seen = Fingerprint.of, []

    def of(path: Path) -> Fingerprint:
        seen.append(path)
        if len(seen) > 1:
            killed()
        return really(path)

    return of


def test_a_begun_output_is_ours(do: Do, item: Item, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the output appeared and before that was written down."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cruel:
        cruel.setattr(Fingerprint, "of", first_and_then(killed))
        with pytest.raises(KeyboardInterrupt):
            do(item)
    assert item.target.exists()
    assert do(item).state == "done"


def test_an_input_that_changes_meanwhile_fails(
    do: Do, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = compress_core.compress

    def compress(source: Path, *positional: Any, before_commit: Any, **details: Any) -> Any:
        def later(report: Any) -> None:
            os.utime(source, ns=(1, 1))
            before_commit(report)

        return really(source, *positional, before_commit=later, **details)

    with monkeypatch.context() as busy:
        busy.setattr(module, "compress", compress)
        assert do(item).message == "changed while it was read"
    assert not item.target.exists()
    assert do(item).state == "done"


def test_gates_keep_an_output_from_appearing(do: Do, item: Item) -> None:
    spec = from_config(
        {
            "version": 1,
            "passes": [{"pass": "quantize", "bits": 4}],
            "gates": [{"metric": "size", "max": "10 B"}],
        }
    )
    failed = do(item, spec, gates=spec.gates)
    assert (failed.state, failed.kind) == ("failed", "GateError")
    assert failed.message == "size 1.77 KiB is over the limit of 10 B (gates[0].max)"
    assert [breach.metric for breach in failed.breaches] == ["size"]
    assert not item.target.exists()


def test_a_checkpoint(do: Do, make: Make, out: Path, tmp_path: Path) -> None:
    source = make("m/llama/model.safetensors").parent
    (source / "config.json").write_text("{}")
    item = Item("llama", source, out / "llama")
    assert do(item).state == "done"
    assert do(item).state == "resumed"
    (source / "config.json").write_text('{"a": 1}')
    assert do(item).state == "done"
    assert (out / "llama" / "config.json").read_text() == '{"a": 1}'
    (weights,) = (out / "llama").glob("*.safetensors")
    os.truncate(weights, 10)
    assert do(item).state == "done"


def test_notes_of_the_run_are_told(do: Do, out: Path, tmp_path: Path) -> None:
    path = tmp_path / "vector.safetensors"
    save_file({"bias": np.ones(8, np.float32)}, path)
    found = do(Item(path.name, path, out / path.name))
    assert found.notes == ("no tensor is selected: the output is a copy",)
    assert found.kept == {"1-D": 1}
    assert list(load_file(out / path.name)) == ["bias"]
    assert replace(found, state="resumed").to_json()["bytes_in"] == path.stat().st_size


def test_what_changes_no_byte_is_not_done_again(do: Do, item: Item) -> None:
    assert do(item).state == "done"
    assert do(item, settings=Settings(on_unmatched="warn")).state == "resumed"
    assert do(item, settings=Settings(on_nonfinite="keep")).state == "done"
