"""Locks on items: one process at a time, and none is left when it is gone."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from compress_core.batch.claims import Claims
from compress_core.errors import OutputError
from compress_core.journal import FOLDER

HOLD = """
import sys
from pathlib import Path
from compress_core.batch.claims import Claims
with Claims(Path(sys.argv[1])).holding("a", wait=False) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FOLDER).mkdir()
    return tmp_path


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """One that has tried to hold the item ``a``."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=Path(__file__).parents[3],
    ) as process:
        yield process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_one_at_a_time_and_others_are_free(folder: Path) -> None:
    claims = Claims(folder)
    with another_process(folder) as process:
        assert said(process) == "True"
        with claims.holding("a", wait=False) as held:
            assert not held
        with claims.holding("b", wait=False) as held:
            assert held
        process.kill()
        with claims.holding("a", wait=True) as held:
            assert held
            with another_process(folder) as other:
                assert said(other) == "False"
                other.kill()
    claims.close()


def test_an_error_lets_go(folder: Path) -> None:
    claims = Claims(folder)
    with pytest.raises(KeyError), claims.holding("a", wait=False):
        raise KeyError
    with another_process(folder) as process:
        assert said(process) == "True"
        process.kill()
    claims.close()


def test_without_locks_everybody_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_here(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    claims = Claims(folder)
    with monkeypatch.context() as poor:
        poor.setattr(fcntl, "lockf", none_here)
        with claims.holding("a", wait=False) as held:
            assert held
    claims.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        Claims(tmp_path)
