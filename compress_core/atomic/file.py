"""One file that appears whole."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from compress_core.atomic.failures import check_space, output_error
from compress_core.atomic.flush import send_off, sync_folder
from compress_core.atomic.leftovers import (
    beside,
    check_ours,
    is_ours,
    lock,
    removed_on_interrupt,
    tidy,
)
from compress_core.atomic.targets import file_mode
from compress_core.errors import OutputError

# Linux writes at most 2 GiB - 4 KiB at once, macOS refuses more than 2 GiB - 1
_AT_ONCE = 1 << 30


class PartFile:
    """A file that appears at ``target`` when it is committed, and never before.

    A symbolic link is followed and kept, and so is the mode of a file that is replaced; a new file
    has the mode that the umask says.

    :param target: the output as the user wrote it.
    :param replace: whether an existing file may be replaced.
    :raises OutputExistsError: it exists and must not be replaced, or is no regular file.
    :raises OutputError: its folder is missing or cannot be written to.
    """

    _file = -1

    def __init__(self, target: Path, *, replace: bool) -> None:
        self._target = target
        self._replace = replace
        self._needed = 0
        self._committed = False
        try:
            old_mode = file_mode(target, replace=replace)
            self._final = Path(os.path.realpath(target))
            self._path = beside(self._final, "part")
            tidy(self._final)
            self._create(old_mode)
        except OSError as error:
            raise self._failed(error) from error

    def reserve(self, size: int, *, temporary: int = 0) -> None:
        """Give the file its final size.

        :param temporary: bytes of temporary files that are written meanwhile.
        :raises OutputError: the disk has less than that free.
        """
        self._needed = size
        check_space(self._final.parent, size, temporary=temporary, where=str(self._target))
        try:
            os.ftruncate(self._file, size)
        except OSError as error:
            raise self._failed(error) from error

    def pwrite(self, data: bytes | memoryview, offset: int) -> None:
        """Write bytes at a place; safe from any thread.

        :raises OutputError: the disk says no.
        """
        view = memoryview(data)
        self._needed = max(self._needed, offset + len(view))
        try:
            while len(view):
                done = os.pwrite(self._file, view[:_AT_ONCE], offset)
                send_off(self._file, offset, done)
                view, offset = view[done:], offset + done
        except OSError as error:
            raise self._failed(error) from error

    def commit(self) -> None:
        """Flush, put the file in its place, flush the folder. Again: nothing happens.

        :raises OutputExistsError: the target exists by now and must not be replaced.
        :raises OutputError: the disk says no; the target is what it was.
        """
        if self._committed:
            return
        if self._file < 0:
            raise RuntimeError("commit after abort")
        try:
            os.fsync(self._file)
            file_mode(self._target, replace=self._replace)
            check_ours(self._file, self._path)
            os.replace(self._path, self._final)
            self._committed = True
            sync_folder(self._final.parent)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self.abort()

    def abort(self) -> None:
        """Remove what was written, unless it was committed. Again: nothing happens."""
        if self._file < 0:
            return
        with suppress(OSError):
            if not self._committed and is_ours(self._file, self._path):
                os.unlink(self._path)
        # first the number: a late write must not hit what gets it next
        file, self._file = self._file, -1
        os.close(file)

    def _create(self, old_mode: int | None) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with removed_on_interrupt(self._final, self.abort):
            self._file = os.open(self._path, flags, 0o666 if old_mode is None else old_mode)
            lock(self._file)
            if old_mode is not None:
                with suppress(OSError):  # the umask took bits away; some file systems have none
                    os.fchmod(self._file, old_mode)

    def _failed(self, error: OSError) -> OutputError:
        return output_error(error, self._target, self._needed)

    def __del__(self) -> None:
        self.abort()  # an interrupt may come before anybody has taken hold of it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


def write_text(target: Path, text: str, *, replace: bool) -> None:
    """Write a text file (UTF-8), whole or not at all; errors are those of :class:`PartFile`."""
    with PartFile(target, replace=replace) as out:
        out.pwrite(text.encode("utf-8"), 0)
        out.commit()
