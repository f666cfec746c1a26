"""The ``pyproject.toml`` files that may say something about a folder; they are only read here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from compress_core.errors import InputError, SpecError
from compress_core.inputs import InputFile

FILE = "pyproject.toml"
MAX_BYTES = 1_000_000

_ERROR = "pyproject.toml cannot be read"


def mentioning(words: Sequence[str], folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The files in ``folder`` and above that have all of ``words``, the nearest first.

    Most files have no table of ours, and then need not be parsed, nor be good TOML.

    :raises SpecError: a file on the way cannot be read.
    """
    for file in _above(folder):
        written = read(file)
        if all(word.encode() in written for word in words):
            yield file, written


def read(file: Path) -> bytes:
    """The bytes of one file.

    :raises SpecError: it cannot be read.
    """
    try:
        with closing(InputFile(file)) as opened:
            if opened.size > MAX_BYTES:
                raise SpecError(f"{_ERROR}: larger than 1 MB", where=str(file))
            return opened.read(0, opened.size)
    except InputError as error:
        raise SpecError(f"{_ERROR}: {error.message}", where=str(file)) from error


def _above(folder: Path) -> Iterator[Path]:
    whole = Path(os.path.abspath(folder))
    for above in (whole, *whole.parents):
        file = above / FILE
        if os.path.isfile(file):
            # as a person would write it from here
            yield Path(os.path.relpath(file, whole)) if folder == Path() else file
