"""The ``pyproject.toml`` files that may say something about a folder; they are only read here."""

from __future__ import annotations

import os
import shlex
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

    Most files have no table of ours, and then need not be parsed, nor be good TOML, nor be small.

    :raises SpecError: a file on the way cannot be read, or has the words and is too large.
    """
    for file in _above(folder):
        written = _read(file, words)
        if written is not None:
            yield file, written


def read(file: Path) -> bytes:
    """The bytes of one file.

    :raises SpecError: it cannot be read.
    """
    return _read(file, ()) or b""


def _read(file: Path, words: Sequence[str]) -> bytes | None:
    """The bytes of a file that has all of ``words``; ``None``: it has not."""
    try:
        with closing(InputFile(file)) as opened:
            if not _has(opened, words):
                return None
            if opened.size > MAX_BYTES:
                raise SpecError(
                    f"{_ERROR}: larger than 1 MB",
                    where=str(file),
                    hint="keep the tables of modelopt in a smaller one, in a folder below",
                )
            return opened.read(0, opened.size)
    except InputError as error:
        hint = "see who may read it: ls -l " + shlex.quote(str(file))
        raise SpecError(f"{_ERROR}: {error.message}", where=str(file), hint=hint) from error


def _has(opened: InputFile, words: Sequence[str]) -> bool:
    """Whether a file has all of ``words``; it is read by pieces, however large it is."""
    missing, seam = {word.encode() for word in words}, b""
    for start in range(0, opened.size, MAX_BYTES):
        piece = seam + opened.read(start, min(start + MAX_BYTES, opened.size))
        missing = {word for word in missing if word not in piece}
        if not missing:
            break
        seam = piece[-max(map(len, missing)) :]  # a word may lie across two pieces
    return not missing


def _above(folder: Path) -> Iterator[Path]:
    whole = Path(os.path.abspath(folder))
    for above in (whole, *whole.parents):
        file = above / FILE
        if os.path.isfile(file):
            # as a person would write it from here
            yield Path(os.path.relpath(file, whole)) if folder == Path() else file
