"""Read files that others wrote: regular files only, by position, never mapped.

A mapped file that somebody cuts kills the process with SIGBUS, a FIFO blocks for ever, and opening
some devices acts on them. So: look, open without blocking, look again, read with ``pread``.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from compress_core.errors import InputError

# macOS refuses single reads of 2 GiB and more
_AT_ONCE = 1 << 30

_SAID = {
    errno.ENOENT: "no such file",
    errno.ENOTDIR: "not a folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "a loop of symbolic links",
    errno.EMFILE: "too many open files",
}
_HINTS = {errno.EMFILE: "raise the limit: ulimit -n 4096"}


class InputFile:
    """A regular file, open for reading by position from any thread.

    :ivar path: as the user wrote it, for messages.
    :ivar size: bytes when it was opened. A later change of its size or time of modification is an
        error of the next read.
    :raises InputError: it is missing, unreadable, or no regular file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _refuse_irregular(os.stat(path).st_mode, path)
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
            self._file = os.fdopen(os.open(path, flags), "rb", buffering=0)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise unreadable(error, path) from error
        now = os.fstat(self._file.fileno())
        self.size = now.st_size
        self._modified = now.st_mtime_ns
        try:
            # between the two looks the name may have been given to something else
            _refuse_irregular(now.st_mode, path)
        except InputError:
            self.close()
            raise

    def read(self, start: int, stop: int) -> bytes:
        """Bytes ``start:stop``.

        :raises InputError: they cannot be read, or the file has changed.
        """
        data = bytearray(stop - start)
        self.read_into(memoryview(data), start)
        return bytes(data)

    def read_into(self, buffer: memoryview, start: int) -> None:
        """Fill a buffer of bytes with the file's bytes from ``start`` on.

        :raises InputError: they cannot be read, or the file has changed.
        """
        if self._file.closed:
            raise InputError("read after it was closed", where=str(self.path))
        number = self._file.fileno()
        done = 0
        try:
            while done < len(buffer):
                got = os.preadv(number, [buffer[done : done + _AT_ONCE]], start + done)
                if got == 0:
                    raise self._changed()
                done += got
            now = os.fstat(number)
        except OSError as error:
            raise unreadable(error, self.path) from error
        if (now.st_size, now.st_mtime_ns) != (self.size, self._modified):
            raise self._changed()

    def close(self) -> None:
        """Give the file handle back."""
        self._file.close()

    def _changed(self) -> InputError:
        return InputError("file changed while it was read", where=str(self.path))


def read_small(path: Path, what: str, most: int) -> bytes:
    """All bytes of a file that nobody needs to be large.

    :param what: what it is, for messages: ``an index``.
    :raises InputError: it cannot be read, or has more than ``most`` bytes.
    """
    file = InputFile(path)
    try:
        if file.size > most:
            raise InputError(f"{what} of {file.size:,} bytes", where=str(path))
        return file.read(0, file.size)
    finally:
        file.close()


def unreadable(error: OSError | ValueError, path: Path) -> InputError:
    """The error of this house for what the system said about ``path``."""
    code = error.errno if isinstance(error, OSError) else None
    text = error.strerror if isinstance(error, OSError) else str(error)
    said = _SAID.get(code or 0) or (text or "cannot be read").lower()
    return InputError(said, where=str(path), hint=_HINTS.get(code or 0))


def kind_of(mode: int) -> str:
    """What a ``st_mode`` stands for, in words."""
    for test, words in (
        (stat.S_ISREG, "a regular file"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
    ):
        if test(mode):
            return words
    return "a device"


def _refuse_irregular(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise InputError(f"{kind_of(mode)}, not a regular file", where=str(path))
