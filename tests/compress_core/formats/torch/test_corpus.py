"""The PyTorch cases of the corpus: verdicts as expected, in time, nothing run or left behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compress_core.errors import InputError
from compress_core.formats.torch import Torch

CORPUS = Path(__file__).parents[3] / "corpus" / "bad_inputs"
EXPECTED = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))

# the corpus counts all tensors of a file; the weights are those of the model
WEIGHTS = {"pt_ok_nested": 1}

Case = dict[str, Any]


def cases(verdict: str) -> list[Any]:
    return [
        pytest.param(case, id=case["name"])
        for case in EXPECTED["cases"]
        if case["kind"] == "torch" and case["expected"] == verdict
    ]


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No payload leaves its canary in the working folder, and no case takes its limit of time."""
    monkeypatch.chdir(tmp_path)
    started = time.monotonic()
    yield
    assert time.monotonic() - started < EXPECTED["default_limits"]["seconds"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", cases("error"))
def test_bad(case: Case) -> None:
    with pytest.raises(InputError) as caught:
        Torch.open(CORPUS / case["path"])
    assert Path(case["path"]).name in (caught.value.where or "")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("case", cases("ok"))
def test_odd_but_good(case: Case) -> None:
    with Torch.open(CORPUS / case["path"]) as reader:
        assert len(reader.infos) == WEIGHTS.get(case["name"], case["tensors"])
        for name, info in reader.infos.items():
            assert reader.read(name, 0, info.matrix[0]).nbytes == info.nbytes


def test_all_verdicts_are_covered() -> None:
    assert len(cases("error")) > 60
    assert len(cases("ok")) > 14
    assert not cases("any")
