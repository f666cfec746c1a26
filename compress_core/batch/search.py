"""What a word of a request stands for: files, checkpoint folders, what is found by walking."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compress_core.errors import UsageError
from compress_core.formats.folder.contents import is_checkpoint
from compress_core.inputs import unreadable
from compress_core.journal import has_journals
from compress_core.opening import looks_like_weights

_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Found:
    """What one word of the request stands for.

    :ivar anchor: the folder that it names, whatever is in there today; names begin below it.
    """

    anchor: str
    sources: tuple[str, ...]


class Search:
    """Looks for the inputs of one batch. Folders that hold the outputs of others are left out.

    :param folder: where the outputs go: not searched, and nothing need be said about it.
    :ivar notes: what must be said of what it left out, and of what it did not.
    """

    def __init__(self, folder: Path) -> None:
        self._own = os.path.realpath(folder)
        self._others: dict[str, bool] = {}  # folder → whether it holds the outputs of a batch
        self._left_out: dict[str, None] = {}
        self._named: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """One a folder."""
        return (
            *(f"skipped {path}: it holds the outputs of a batch" for path in self._left_out),
            *(f"{path} holds the outputs of a batch: inputs, since named" for path in self._named),
        )

    def find(self, path: str) -> Found:
        """What ``path`` stands for.

        :raises UsageError: nothing.
        :raises InputError: a folder cannot be listed.
        """
        if not os.path.lexists(path) and _MAGIC.search(path):
            return self._by_pattern(path)
        above = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(path):
            return Found(above, (path,))
        self._note_named(path)
        if is_checkpoint(Path(path)):
            return Found(above, (path,))
        if os.path.realpath(path) == self._own:  # a shell's pattern brings it along
            return Found(above, ())
        sources = tuple(self._walk(path, self._skipped(path)))
        if not sources:
            raise self._nothing("no weights in this folder", path, f"ls -R {shlex.quote(path)}")
        return Found(path, sources)

    def _by_pattern(self, pattern: str) -> Found:
        anchor = os.path.dirname(_MAGIC.split(pattern)[0]) or os.curdir
        self._note_named(anchor)
        skipped = self._skipped(anchor)
        matches = sorted(glob.glob(pattern, recursive=True))
        sources = tuple(
            source
            for match in matches
            if not self._lies_in_others(match, anchor)
            for source in self._below(match, skipped)
        )
        if not sources:
            raise self._nothing("no file matches the pattern", pattern, f"ls {shlex.quote(anchor)}")
        return Found(anchor, sources)

    def _skipped(self, top: str) -> str | None:
        """The real path of the folder of the outputs, if it lies below ``top``."""
        above = os.path.realpath(top)
        return self._own if self._own != above and _is_in(self._own, above) else None

    def _below(self, path: str, skipped: str | None) -> Iterable[str]:
        """``path`` itself, or what a folder that is no checkpoint holds."""
        if skipped is not None and _is_in(os.path.realpath(path), skipped):
            return ()
        walked = os.path.isdir(path) and not is_checkpoint(Path(path))
        return self._walk(path, skipped) if walked else (path,)

    def _walk(self, top: str, skipped: str | None) -> Iterator[str]:
        """Weight files and checkpoints at any depth, sorted; nothing hidden, no linked folders."""
        for name in _listed(top):
            path = os.path.join(top, name)
            if name.startswith("."):
                continue
            if not os.path.isdir(path):
                if looks_like_weights(Path(path)):
                    yield path
            elif os.path.realpath(path) == skipped or self._leaves_out(path):
                continue
            elif is_checkpoint(Path(path)):
                yield path
            elif not os.path.islink(path):
                yield from self._walk(path, skipped)

    def _lies_in_others(self, match: str, anchor: str) -> bool:
        """Whether a match is, or lies in, a folder of outputs that the pattern does not name."""
        path, end = os.path.normpath(match), os.path.normpath(anchor)
        while path not in ("", end) and path != os.path.dirname(path):
            if self._leaves_out(path):
                return True
            path = os.path.dirname(path)
        return False

    def _leaves_out(self, path: str) -> bool:
        if not self._is_of_others(path):
            return False
        self._left_out[path] = None
        return True

    def _note_named(self, path: str) -> None:
        if self._is_of_others(path):
            self._named[path] = None

    def _is_of_others(self, path: str) -> bool:
        if path not in self._others:
            own = os.path.realpath(path) == self._own
            self._others[path] = not own and has_journals(Path(path))
        return self._others[path]

    def _nothing(self, said: str, where: str, look: str) -> UsageError:
        if not self._left_out:
            return UsageError(said, where=where, hint=f"see what is there: {look}")
        other = next(iter(self._left_out))
        return UsageError(
            f"{said} but the outputs of a batch",
            where=where,
            hint=f"to take them as inputs, name their folder: {shlex.quote(other)}",
        )


def _is_in(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise unreadable(error, Path(folder)) from error
