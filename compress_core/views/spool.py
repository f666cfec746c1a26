"""The unlinked temporary file that holds what cannot be read at random where it stands."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from threading import Lock
from typing import IO

from compress_core.atomic import check_scratch, scratch_error, scratch_folder
from compress_core.errors import InputError

# Linux moves at most 2 GiB - 4 KiB at once, macOS refuses more than 2 GiB - 1
_AT_ONCE = 1 << 30


class Spool:
    """One temporary file without a name, made when the first region is filled.

    The system removes it when it is closed, or the process ends in whatever way.

    :ivar size: bytes of all regions; ``missing``: of those that are not filled yet.
    :param where: the file that is read, for messages.
    """

    def __init__(self, where: str) -> None:
        self.size = 0
        self.missing = 0
        self._where = where
        self._file: IO[bytes] | None = None
        self._closed = False
        self._lock = Lock()

    def reserve(self, size: int, fill: Callable[[Region], None]) -> Region:
        """A region of its own, filled when something is first read from it."""
        region = Region(self, self.size, size, fill)
        self.size += size
        self.missing += size
        return region

    def filled(self, region: Region) -> None:
        """Count a region as filled."""
        with self._lock:
            self.missing -= region.size

    def read_into(self, buffer: memoryview, start: int) -> None:
        """Fill a buffer of bytes with what was written at ``start``.

        :raises OutputError: the disk says no.
        """
        number = self._number()
        try:
            while len(buffer):
                got = os.preadv(number, [buffer[:_AT_ONCE]], start)
                if got == 0:
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                buffer, start = buffer[got:], start + got
        except OSError as error:
            raise scratch_error(error, self.size) from error

    def write(self, data: memoryview, start: int) -> None:
        """Write bytes at a place.

        :raises OutputError: the disk says no.
        """
        number = self._number()
        try:
            while len(data):
                done = os.pwrite(number, data[:_AT_ONCE], start)
                data, start = data[done:], start + done
        except OSError as error:
            raise scratch_error(error, self.size) from error

    def close(self) -> None:
        """Give the space back. Again: nothing happens."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()

    def _number(self) -> int:
        with self._lock:
            if self._closed:
                raise InputError("read after it was closed", where=self._where)
            if self._file is None:
                self._file = self._made()
            return self._file.fileno()

    def _made(self) -> IO[bytes]:
        check_scratch(self.size)
        try:
            import tempfile  # few runs have temporary files

            return tempfile.TemporaryFile(buffering=0, dir=scratch_folder())
        except OSError as error:
            raise scratch_error(error, self.size) from error


class Region:
    """Some bytes of the spool; a :class:`Source` that fills itself when it is first read.

    :ivar size: bytes.
    """

    def __init__(self, spool: Spool, start: int, size: int, fill: Callable[[Region], None]) -> None:
        self.size = size
        self._spool = spool
        self._start = start
        self._fill = fill
        self._filled = False
        self._lock = Lock()

    def read_into(self, buffer: memoryview, start: int) -> None:
        """Fill ``buffer`` with the bytes from ``start`` on; other threads wait while it is filled.

        :raises InputError: what it is filled from cannot be read.
        :raises OutputError: the disk says no.
        """
        self._check(start, len(buffer))
        if not self._filled:
            with self._lock:
                if not self._filled:
                    self._fill(self)
                    self._filled = True
                    self._spool.filled(self)
        self._spool.read_into(buffer, self._start + start)

    def write(self, data: memoryview, start: int) -> None:
        """For what fills it: put bytes at a place.

        :raises OutputError: the disk says no.
        """
        self._check(start, len(data))
        self._spool.write(data, self._start + start)

    def _check(self, start: int, length: int) -> None:
        # beyond lies the region of another tensor
        if not 0 <= start <= start + length <= self.size:
            raise IndexError(f"bytes {start}:{start + length} of {self.size}")
