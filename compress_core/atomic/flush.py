"""Bring what was written to the disk itself, before and after a rename."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

WORTH_A_CALL = 256 * 1024
"""Bytes that are sent off at once; fewer wait for those around them."""


def send_off(file: int, offset: int, length: int) -> None:
    """Let the disk begin with what was just written, and do not wait for it.

    So the flush at the end has little left to do. What is told the system, that the bytes are not
    needed soon, makes Linux write them; it keeps them in memory until it has, and other systems may
    do nothing.
    """
    if length >= WORTH_A_CALL and hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # it is but an advice
            os.posix_fadvise(file, offset, length, os.POSIX_FADV_DONTNEED)


def sync_tree(top: Path) -> None:
    """Flush every file and folder below ``top``, and ``top``."""
    for folder, _, names in os.walk(top, topdown=False):
        for name in names:
            _sync(Path(folder, name), os.O_RDONLY | os.O_NOFOLLOW)
        sync_folder(Path(folder))


def sync_folder(folder: Path) -> None:
    """Flush the names that a folder holds; without it a rename may be lost with the power."""
    try:
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        # some file systems have no such thing for folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
