"""Thousands of broken files of all formats: one type of error, little memory, no hang."""

from __future__ import annotations

import time

import pytest

from tests.fuzz.batch import run_in_child
from tests.fuzz.figures import Figures
from tests.fuzz.mutants import mutant
from tests.fuzz.sources import sources

SEED = 1
BATCH = 1000
BATCHES = 40
SECONDS = 60


@pytest.mark.slow
def test_mutants_are_refused_in_words_or_read() -> None:
    """The same ones on every machine; a slow one takes fewer of them, and says so."""
    found, begun = Figures(), time.monotonic()
    for number in range(BATCHES):
        found.add(run_in_child(SEED, number * BATCH, BATCH))
        if time.monotonic() > begun + SECONDS:
            break
    print(found)  # noqa: T201 - figures for those who ask with -s
    assert found.mutants >= BATCH
    assert found.verdicts["accepted"] > found.mutants // 50, "too broken to tell anything"
    assert found.verdicts["FormatError"] > found.mutants // 4
    assert set(found.verdicts) <= {
        *("accepted", "FormatError", "UnsupportedError", "InputError", "UsageError")
    }


def test_a_number_always_means_the_same_mutant() -> None:
    for number in range(20):
        assert mutant(SEED, number) == mutant(SEED, number)
    assert mutant(SEED, 0) != mutant(SEED + 1, 0)


def test_all_kinds_of_files_are_broken() -> None:
    names = {source.name.split("_")[0] for source in sources()}
    assert names >= {"np", "pt", "st", "dir", "crepe", "lpips"}
    assert sum(source.is_good for source in sources()) > 30
