"""Check one mutant: the tensors or one readable error, soon, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

from compress_core import open_weights
from compress_core.container import Reader
from compress_core.errors import ModelOptError
from tests.fuzz.mutants import Mutant
from tests.fuzz.second_opinion import compare
from tests.fuzz.verdict import check_error, read_all

AT_MOST = 64 << 20
"""Bytes of dense data that are read of each."""

ACCEPTED = "accepted"


@dataclass(frozen=True)
class Judged:
    """What one mutant came to.

    :ivar verdict: ``accepted``, or the name of the error.
    """

    verdict: str
    seconds: float


def judge(mutant: Mutant, scratch: Path) -> Judged:
    """Write it into a folder of its own, open it and read all of it.

    :raises AssertionError: a wrong error, other bytes than another library reads, a payload that
        ran, or something that was left behind; any other error is one that leaked.
    """
    folder = scratch / "mutant"
    folder.mkdir()
    for name, content in mutant.files.items():
        (folder / name).write_bytes(content)
    try:
        started = time.monotonic()
        verdict = _verdict(folder / mutant.opened)
        seconds = time.monotonic() - started
        assert sorted(os.listdir(folder)) == sorted(mutant.files), "something was left behind"
        assert os.listdir(scratch) == ["mutant"], "a payload has run"
    finally:
        shutil.rmtree(folder)
    return Judged(verdict, seconds)


def _verdict(path: Path) -> str:
    try:
        with open_weights(path) as reader:
            _check_notes(reader)
            read_all(reader, AT_MOST)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's, of headers that Python 2 wrote
                compare(path, reader)
    except ModelOptError as error:
        check_error(error)
        return type(error).__name__
    return ACCEPTED


def _check_notes(reader: Reader) -> None:
    for note in reader.notes:
        assert note.isprintable(), repr(note)
