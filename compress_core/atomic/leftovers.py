"""What unfinished and killed runs leave beside a target."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path


def beside(final: Path, kind: str) -> Path:
    """The name for this process's ``part`` or ``old`` of a target."""
    return final.parent / f".{final.name}.{os.getpid()}.{kind}"


def lock(file: int) -> None:
    """Show other runs that this part is in use: process numbers repeat across containers."""
    with suppress(OSError):  # not every network file system has locks
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_ours(file: int, path: Path) -> bool:
    """Whether ``path`` still is the open ``file``."""
    try:
        mine, there = os.fstat(file), os.lstat(path)
    except FileNotFoundError:
        return False
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def check_ours(file: int, path: Path) -> None:
    """What is published must be what was written here.

    :raises OSError: ``path`` is something else by now.
    """
    if not is_ours(file, path):
        raise OSError(errno.ESTALE, "another run has replaced the unfinished output")


def tidy(final: Path) -> None:
    """Remove what killed runs left of this target; put a folder back that one had moved aside."""
    pattern = re.compile(rf"\.{re.escape(final.name)}\.(\d{{1,10}})\.(part|old)", re.ASCII)
    with suppress(OSError):  # a courtesy; what really is wrong shows when the part is made
        for name in os.listdir(final.parent):
            found = pattern.fullmatch(name)
            if found is None or not _is_abandoned(final.parent / name, int(found[1])):
                continue
            discard = _remove if found[2] == "part" else partial(put_back, final=final)
            discard(final.parent / name)


@contextmanager
def removed_on_interrupt(final: Path, abort: Callable[[], None]) -> Iterator[None]:
    """While a part is made: an interrupt leaves nothing.

    It may come after the system has made the file and before its number is known here; then the
    part is without a lock, as one of a killed run.

    :param abort: removes a part whose number is known.
    """
    try:
        yield
    except OSError:
        raise
    except BaseException:
        abort()
        tidy(final)
        raise


def put_back(old: Path, final: Path) -> None:
    """Undo the moving aside of a folder."""
    if os.path.lexists(final):
        _remove(old)  # a complete newer one stands there
    else:
        os.rename(old, final)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        import shutil  # with every archive format that it knows

        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_abandoned(path: Path, pid: int) -> bool:
    if pid != os.getpid() and _is_alive(pid):
        return False
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # no locks here: then only the number can tell
        return error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN) and pid != os.getpid()
    finally:
        os.close(file)
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
