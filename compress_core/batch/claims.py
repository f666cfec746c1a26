"""Who works on which item: a lock for each, gone with the process that holds it.

All of them are bytes of one file, at a place that the item's name says, so that nothing has to be
tidied up. Such locks reach across the machines that share a network file system.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from compress_core.atomic.failures import output_error
from compress_core.journal import FOLDER

_NAME = "claims"
_PLACES = 1 << 62  # file offsets have 63 bits
_BUSY = (errno.EACCES, errno.EAGAIN)
_NONE_HERE = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class Claims:
    """The locks in a folder. A process must have one object of this class for it, not two.

    The system drops all locks that a process has on a file as soon as it closes that file once.

    :raises OutputError: the file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FOLDER / _NAME
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise output_error(error, path, 0) from error

    @contextmanager
    def holding(self, item: str, *, wait: bool) -> Iterator[bool]:
        """Hold an item; ``False``: somebody else does, and nobody was asked to wait for them.

        Where the file system has no locks, everybody holds everything: outputs are still whole.
        """
        place = _place(item)
        if not self._lock(place, wait):
            yield False
            return
        try:
            yield True
        finally:
            with suppress(OSError):  # there are none here
                fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)

    def close(self) -> None:
        """Let go of everything."""
        os.close(self._file)

    def _lock(self, place: int, wait: bool) -> bool:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, place)
        except OSError as error:
            if error.errno in _BUSY:
                return False
            if error.errno not in _NONE_HERE:
                raise
        return True


def _place(item: str) -> int:
    digest = hashlib.sha256(item.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") % _PLACES
