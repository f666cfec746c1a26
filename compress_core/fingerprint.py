"""By what a file or folder is known again: its bytes, and a quick look that saves reading them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, Self
from urllib.parse import quote, unquote

from compress_core.errors import InputError
from compress_core.inputs import InputFile, unreadable

_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Member:
    """One file; its content is ``size`` and ``sha256``, the rest tells that nobody touched it.

    :ivar name: path below the folder, ``""`` for a file on its own.
    :ivar modified: time of modification in nanoseconds.
    """

    name: str
    size: int
    modified: int
    inode: int
    sha256: str = ""

    def looks_like(self, other: Member) -> bool:
        """Whether all is equal that can be seen without reading."""
        seen = (self.name, self.size, self.modified, self.inode)
        return seen == (other.name, other.size, other.modified, other.inode)

    def equals(self, other: Member) -> bool:
        """Whether the content is the same."""
        mine = (self.name, self.size, self.sha256)
        return mine == (other.name, other.size, other.sha256)


@dataclass(frozen=True)
class Fingerprint:
    """All files of a folder that are not hidden, or one file; links count as what they lead to.

    Links to folders are not followed.
    """

    members: tuple[Member, ...]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read everything.

        :raises InputError: something cannot be read, or changes meanwhile.
        """
        return cls(tuple(_hashed(one, path) for one in _look(path)))

    def now(self, path: Path, *, verify: bool = False) -> Fingerprint | None:
        """The fingerprint of ``path`` as it is now, if its content is what it was, else ``None``.

        What looks untouched is believed to be so, and not read.

        :param verify: read everything, whatever it looks like.
        """
        try:
            seen = _look(path)
            if self._sizes() != {one.name: one.size for one in seen}:
                return None
            known = {one.name: one for one in self.members}
            found = [_known_again(one, known[one.name], path, verify) for one in seen]
        except InputError:
            return None
        return Fingerprint(tuple(one for one in found if one)) if all(found) else None

    def untouched(self, path: Path) -> bool:
        """Whether ``path`` looks as it did; nothing is read."""
        try:
            seen = _look(path)
        except InputError:
            return False
        return len(seen) == len(self.members) and all(map(Member.looks_like, seen, self.members))

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data, for :meth:`from_json`."""
        return [{**asdict(one), "name": text_of(one.name)} for one in self.members]

    @classmethod
    def from_json(cls, data: object) -> Self:
        """What :meth:`to_json` wrote.

        :raises ValueError: it did not write that.
        """
        if not isinstance(data, list) or not data:
            raise ValueError("no list of files")
        return cls(tuple(_member(one) for one in data))

    def _sizes(self) -> dict[str, int]:
        return {one.name: one.size for one in self.members}


def text_of(path: str) -> str:
    """A path as text that JSON can hold, whatever bytes it has; see :func:`path_of`."""
    return quote(path, safe="/ !#$&'()*+,:;=?@[]", errors="surrogateescape")


def path_of(text: str) -> str:
    """The path that :func:`text_of` made a text of."""
    return unquote(text, errors="surrogateescape")


def bytes_at(path: Path) -> int:
    """Bytes that a fingerprint of ``path`` would read; 0 for what cannot be looked at."""
    try:
        return sum(one.size for one in _look(path))
    except InputError:
        return 0


def _known_again(seen: Member, known: Member, path: Path, verify: bool) -> Member | None:
    if seen.looks_like(known) and not verify:
        return known
    found = _hashed(seen, path)
    return found if found.equals(known) else None


def _look(path: Path) -> list[Member]:
    """What the system says of ``path``, sorted by name."""
    try:
        if path.is_dir():
            return sorted(_inside(path), key=lambda one: one.name)
        found = os.stat(path)
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from error
    return [_seen("", found)]


def _inside(folder: Path) -> Iterator[Member]:
    for top, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = os.path.join(top, name)
            # a broken link, a socket: nothing that could be carried along
            if not name.startswith(".") and os.path.isfile(file):
                yield _seen(os.path.relpath(file, folder), os.stat(file))


def _refuse(error: OSError) -> NoReturn:
    raise error


def _seen(name: str, found: os.stat_result) -> Member:
    if not stat.S_ISREG(found.st_mode):
        return Member(name, 0, 0, 0)  # reading it will say what is wrong
    return Member(name, found.st_size, found.st_mtime_ns, found.st_ino)


def _hashed(seen: Member, path: Path) -> Member:
    digest = hashlib.sha256()
    file = InputFile(path / seen.name)
    try:
        for start in range(0, file.size, _AT_ONCE):
            digest.update(file.read(start, min(start + _AT_ONCE, file.size)))
    finally:
        file.close()
    return replace(seen, sha256=digest.hexdigest())


def _member(data: object) -> Member:
    if not isinstance(data, dict):
        raise ValueError("a file is no object")
    try:
        found = Member(**data)
    except TypeError as error:  # other keys
        raise ValueError(str(error)) from error
    numbers = (found.size, found.modified, found.inode)
    if any(type(one) is not int for one in numbers) or type(found.name) is not str:
        raise ValueError("a file is described by values of other types")
    return replace(found, name=path_of(found.name))
