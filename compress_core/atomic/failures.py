"""What the system says about an output, in the words of this tool."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from compress_core.errors import OutputError
from compress_core.sizes import human

_SAID = {
    errno.EROFS: "read-only file system",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENOENT: "no such folder",
    errno.ENOTDIR: "not a folder on the way to it",
    errno.ENAMETOOLONG: "its name is too long",
    errno.EEXIST: "another run is writing it",
}
_FULL = {
    errno.ENOSPC: "disk full",
    errno.EDQUOT: "disk quota exceeded",
    errno.EFBIG: "larger than files may be here",
}


def check_space(folder: Path, needed: int, *, where: str | None = None) -> None:
    """Whether a disk can take ``needed`` more bytes.

    :param folder: an existing folder on it.
    :param where: what is to be written, for messages; the folder when nothing is said.
    :raises OutputError: it cannot. A file system that does not count is believed.
    """
    free = _free_bytes(folder)
    if free is not None and free < needed:
        said = f"disk full: needs {human(needed)}, {human(free)} free"
        raise OutputError(said, where=where or str(folder))


def output_error(error: OSError, target: Path, needed: int) -> OutputError:
    """The error of this tool for what the system said.

    :param needed: bytes that the output takes, for messages about a full disk.
    """
    where, parent = str(target), Path(os.path.realpath(target)).parent
    code = error.errno or 0
    if code in _FULL:
        free = _free_bytes(parent)
        said = f"{_FULL[code]}: needs {human(needed)}"
        return OutputError(said if free is None else f"{said}, {human(free)} free", where=where)
    if code == errno.ENOENT:
        return OutputError(f"no such folder: {parent}", where=where, hint=f"mkdir -p {parent}")
    said = _SAID.get(code) or (error.strerror or "cannot be written").lower()
    return OutputError(said, where=where)


def _free_bytes(folder: Path) -> int | None:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    # some virtual file systems say 0 of 0
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else None
