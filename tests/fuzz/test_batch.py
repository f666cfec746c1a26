"""Batches of mutants: the same again, and what is too much of one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fuzz import batch
from tests.fuzz.batch import BrokenError, run_in_child
from tests.fuzz.figures import Figures
from tests.fuzz.judge import Judged
from tests.fuzz.mutants import mutant


def test_the_same_again() -> None:
    found = run_in_child(5, 10, 20)
    assert found.mutants == 20
    assert 10 <= found.slowest_number < 30
    assert 0 < found.slowest < batch.SECONDS
    assert 1e7 < found.memory < 2e8
    assert run_in_child(5, 10, 20).verdicts == found.verdicts


def test_a_process_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(BrokenError, match="seed 5, number None, exit code 1"):
        run_in_child(5, 10, 20)


def test_too_slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(batch, "judge", lambda *_: Judged("accepted", 11.0))
    with pytest.raises(AssertionError, match=r"11\.0 seconds"):
        batch._add(Figures(), mutant(1, 0), tmp_path)


def test_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = mutant(1, 0)
    monkeypatch.setattr(batch, "peak", lambda: 200_000_000 + 3 * one.size)
    with pytest.raises(AssertionError, match=" MB "):
        batch._add(Figures(), one, tmp_path)


def test_figures() -> None:
    one = Figures(memory=5_000_000)
    one.verdicts["accepted"] += 1
    other = Figures(slowest=2.0, slowest_number=7, memory=3_000_000)
    other.verdicts["FormatError"] += 2
    one.add(Figures.from_json(other.to_json()))
    said = "3 mutants: FormatError 2, accepted 1; slowest 2.00 s (number 7); 5 MB at most"
    assert str(one) == said
