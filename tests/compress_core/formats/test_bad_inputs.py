"""The corpus of hostile and odd inputs: verdicts as expected, in time, nothing run or changed."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from compress_core import open_weights, registry
from compress_core.container import Reader
from compress_core.errors import InputError

CORPUS = Path(__file__).parents[2] / "corpus" / "bad_inputs"
EXPECTED = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))
OPTIMIZER_STATE = {"pt_ok_nested": 1}
"""Tensors that are no weights, and left out."""

KINDS = ("safetensors", "folder", "numpy", "torch")

Case = dict[str, Any]


def cases(*verdicts: str) -> list[Any]:
    """The cases of weights, as parameters with their names."""
    return [
        pytest.param(case, id=case["name"])
        for case in EXPECTED["cases"]
        if case["kind"] in KINDS and case["expected"] in verdicts
    ]


def opened(case: Case) -> Reader:
    return open_weights(CORPUS / case["path"])


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No payload leaves its canary in the working folder, and no case takes its limit of time."""
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()
    yield
    assert time.monotonic() - started < EXPECTED["default_limits"]["seconds"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", cases("error"))
def test_bad(case: Case) -> None:
    with pytest.raises(InputError) as caught:
        opened(case)
    assert Path(case["path"]).name in (caught.value.where or "")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("case", cases("ok"))
def test_odd_but_good(case: Case) -> None:
    with opened(case) as reader:
        assert len(reader.infos) == case["tensors"] - OPTIMIZER_STATE.get(case["name"], 0)
        for name, info in list(reader.infos.items())[:100]:
            assert reader.read(name, 0, info.matrix[0]).nbytes == info.nbytes


@pytest.mark.parametrize("case", cases("any"))
def test_either(case: Case) -> None:
    with suppress(InputError):
        opened(case).close()


def test_all_verdicts_of_pytorch_are_there() -> None:
    found = [case["expected"] for case in EXPECTED["cases"] if case["kind"] == "torch"]
    assert found.count("error") > 60
    assert found.count("ok") > 14
    assert "any" not in found


def test_training_files_are_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the weights, their index and config.json are, whatever else lies there."""
    seen: list[str] = []
    real = os.open

    def record(path: Any, *args: Any, **kwargs: Any) -> int:
        seen.append(Path(path).name)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", record)
    folder = CORPUS / "folder" / "dir_ok_training_args"
    registry.get("formats", "folder").open(folder).close()
    assert sorted(seen) == ["config.json", "model.safetensors"]
