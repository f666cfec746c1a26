"""The targets of the coverage-guided fuzzer, on what it begins with and what it once found."""

from __future__ import annotations

import pytest

from compress_core.errors import ModelOptError
from tests.fuzz import targets
from tests.fuzz.memory import MemoryFile, ZeroFile
from tests.fuzz.seeds import CRASHES, seeds, words
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_seeds(target: str) -> None:
    found = seeds(target)
    assert len(found) > 10
    for data in (b"", *found, *words(target)):
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_cut_seeds(target: str) -> None:
    """Every place where a short file can end."""
    for data in seeds(target):
        for end in range(min(len(data), 200)):
            TARGETS[target](data[:end])


@pytest.mark.parametrize("target", TARGETS)
def test_some_seeds_are_accepted(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that refuses everything would find nothing."""
    refused: list[ModelOptError] = []
    monkeypatch.setattr(targets, "check_error", refused.append)
    accepted = 0
    for data in seeds(target):
        before = len(refused)
        TARGETS[target](data)
        accepted += len(refused) == before + (target == "header")  # no length of a header
    assert accepted >= 3


def test_finds_belong_to_a_target() -> None:
    assert {path.name for path in CRASHES.glob("*")} <= set(TARGETS)


def test_files_in_memory() -> None:
    file = MemoryFile(b"0123456789")
    assert (file.read(2, 5), file.size) == (b"234", 10)
    assert ZeroFile(1 << 60).read(1 << 59, (1 << 59) + 3) == bytes(3)
    for start, stop in ((8, 11), (-1, 2)):
        with pytest.raises(AssertionError, match="of 10 are read"):
            file.read(start, stop)
    file.close()
