"""Bring what was written to the disk itself, before and after a rename."""

from __future__ import annotations

import errno
import os
from pathlib import Path


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
