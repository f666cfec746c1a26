"""What the system says about an output, in the words of this tool."""

from __future__ import annotations

import errno
import os
import shlex
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


_SCRATCH = "name a folder with more space: export TMPDIR=/path/to/folder"


def check_space(folder: Path, needed: int, *, temporary: int = 0, where: str | None = None) -> None:
    """Whether a disk can take ``needed`` more bytes.

    :param folder: an existing folder on it.
    :param temporary: bytes that go to the folder of temporary files meanwhile; it may be the same
        disk.
    :param where: what is to be written, for messages; the folder when nothing is said.
    :raises OutputError: it cannot. A file system that does not count is believed.
    """
    if temporary:
        if os.stat(scratch_folder()).st_dev == os.stat(folder).st_dev:
            needed += temporary
        else:
            check_scratch(temporary)
    free = _free_bytes(folder)
    if free is not None and free < needed:
        said = f"disk full: needs {human(needed)}, {human(free)} free"
        raise OutputError(said, where=where or str(folder))


def scratch_folder() -> Path:
    """The folder of temporary files; ``TMPDIR`` names it.

    :raises OutputError: there is none that can be written to, or ``TMPDIR`` does not name one.
    """
    named = os.environ.get("TMPDIR")
    # what is no folder Python passes by in silence, and fills another disk
    if named and not (os.path.isdir(named) and os.access(named, os.W_OK | os.X_OK)):
        said = "TMPDIR names no folder that can be written to"
        hint = "name one that can: export TMPDIR=/path/to/folder"
        raise OutputError(said, where=named, hint=hint)
    try:
        import tempfile  # few runs have temporary files

        return Path(tempfile.gettempdir())
    except OSError as error:
        said = "no folder for temporary files can be written to"
        raise OutputError(said, hint=_SCRATCH) from error


def check_scratch(needed: int) -> None:
    """Whether the folder of temporary files can take ``needed`` more bytes.

    :raises OutputError: it cannot.
    """
    folder = scratch_folder()
    try:
        check_space(folder, needed)
    except OutputError as error:
        raise _of_scratch(error, folder) from error


def scratch_error(error: OSError, needed: int) -> OutputError:
    """The error of this tool for what the system said of a temporary file.

    :param needed: bytes of all temporary files.
    """
    folder = scratch_folder()
    return _of_scratch(output_error(error, folder / "spool", needed), folder)


def _of_scratch(error: OutputError, folder: Path) -> OutputError:
    said = f"folder of temporary files: {error.message}"
    return OutputError(said, where=str(folder), hint=_SCRATCH)


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
        made = shlex.quote(str(parent))
        return OutputError(f"no such folder: {parent}", where=where, hint=f"mkdir -p {made}")
    said = _SAID.get(code) or (error.strerror or "cannot be written").lower()
    return OutputError(said, where=where)


def _free_bytes(folder: Path) -> int | None:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    # some virtual file systems say 0 of 0
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else None
