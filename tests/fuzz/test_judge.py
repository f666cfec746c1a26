"""The judge of mutants sees what it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from compress_core import open_weights
from compress_core.container import Reader
from compress_core.errors import FormatError, OutputError, UsageError
from tests.fuzz import judge as judge_module
from tests.fuzz.judge import judge
from tests.fuzz.mutants import Mutant

ROOT = Path(__file__).parents[2]
DIGITS = (ROOT / "sample_weights" / "digits" / "digits.safetensors").read_bytes()

Open = Callable[[Path], Reader]


def made(content: bytes = DIGITS, name: str = "x.safetensors") -> Mutant:
    return Mutant(1, 2, "digits", {name: content}, name)


def test_good_and_bad(tmp_path: Path) -> None:
    assert judge(made(), tmp_path).verdict == "accepted"
    assert judge(made(DIGITS[:-1]), tmp_path).verdict == "FormatError"
    assert judge(made(b"?"), tmp_path).verdict == "FormatError"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "error",
    [
        FormatError("nowhere"),
        FormatError("two\nlines", where="x"),
        FormatError("a bell \a", where="x"),
        FormatError("", where="x", hint="\x1b[31m"),
        OutputError("not of an input", where="x"),
    ],
)
def test_errors_that_nobody_should_see(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge_module, "open_weights", raising(error))
    with pytest.raises(AssertionError):
        judge(made(), tmp_path)


def test_errors_that_leak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "open_weights", raising(IndexError("leaked")))
    with pytest.raises(IndexError):
        judge(made(), tmp_path)


def test_a_choice_is_an_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_module, "open_weights", raising(UsageError("which?", where="x")))
    assert judge(made(), tmp_path).verdict == "UsageError"


@pytest.mark.parametrize("place", [".", ".."])
def test_what_is_left_behind(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaving(path: Path) -> Reader:
        (path.parent / place / "canary").touch()
        raise FormatError("refused", where="x")

    monkeypatch.setattr(judge_module, "open_weights", leaving)
    with pytest.raises(AssertionError, match=r"left behind|a payload has run"):
        judge(made(), tmp_path)


def test_other_bytes_than_the_library_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path.parent / "other.safetensors"
    other.write_bytes(DIGITS[:-1] + b"\x7f")
    monkeypatch.setattr(judge_module, "open_weights", lambda _: open_weights(other))
    with pytest.raises(AssertionError, match="layers"):
        judge(made(), tmp_path)


def raising(error: Exception) -> Open:
    def fail(_: Path) -> Reader:
        raise error

    return fail
