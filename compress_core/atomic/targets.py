"""What may become an output, and what must never be touched."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from compress_core.atomic.failures import output_error
from compress_core.errors import OutputExistsError
from compress_core.inputs import kind_of

_FORCE = "pass --force to replace it"
_ELSEWHERE = "choose another output"


def refuse_input(target: Path, source: Path, members: Iterable[str] = ()) -> None:
    """Refuse a file output that is an input, or lies in an input folder; no option allows it.

    :param source: the input, a file or a folder.
    :param members: names of files in it that are read; hard links of them are found out too.
    :raises OutputExistsError: it is one of them.
    """
    for path in (source, *(source / name for name in members if name)):
        if _same(target, path):
            raise _refused(target, "the output is the input")
    if source.is_dir() and _holds(source, target):
        raise _refused(target, "the output lies in the input folder")


def refuse_nested(target: Path, source: Path) -> None:
    """Refuse a folder output that is the input, holds it or lies in it; no option allows it.

    :param source: the input, a file or a folder.
    :raises OutputExistsError: one would change the other.
    """
    refuse_input(target, source)
    if _holds(target, source):
        raise _refused(target, "the output holds the input")


def check_file(target: Path, *, replace: bool) -> None:
    """Whether a file could be written at ``target``; touches nothing.

    :raises OutputExistsError: it exists and must not be replaced, or is no regular file.
    :raises OutputError: its folder is missing.
    """
    _check_parent(target, lambda: file_mode(target, replace=replace))


def check_folder(target: Path, *, replace: bool) -> None:
    """Whether a folder could be written at ``target``; touches nothing.

    :raises OutputExistsError: it exists and must not be replaced.
    :raises OutputError: the folder that it shall lie in is missing.
    """
    _check_parent(target, lambda: folder_mode(target, replace=replace))


def _check_parent(target: Path, look: Callable[[], int | None]) -> None:
    try:
        look()
        os.stat(Path(os.path.realpath(target)).parent)
    except OSError as error:
        raise output_error(error, target, 0) from error


def file_mode(target: Path, *, replace: bool) -> int | None:
    """Permission bits of the file to be replaced, ``None`` when there is none.

    :raises OutputExistsError: it must not be replaced, or is no regular file.
    """
    mode = _existing(target)
    if mode is None:
        return None
    if not stat.S_ISREG(mode):
        raise _refused(target, f"the output is {kind_of(mode)}")
    if not replace:
        raise _refused(target, "the output already exists", _FORCE)
    return stat.S_IMODE(mode) & 0o777


def folder_mode(target: Path, *, replace: bool) -> int | None:
    """Permission bits of the folder to be replaced, ``None`` when there is none.

    :raises OutputExistsError: it must not be replaced, or is no folder with a model.
    """
    mode = _existing(target)
    if mode is None:
        return None
    if not stat.S_ISDIR(mode):
        raise _refused(target, f"the output is {kind_of(mode)}, and a folder is to be written")
    if not replace:
        raise _refused(target, "the output already exists", _FORCE)
    if _same(target, Path()):
        raise _refused(target, "the output is the folder that this runs in")
    if not _is_replaceable(os.listdir(target)):
        raise _refused(target, "the output is a folder with other things than one model")
    if not os.access(target, os.W_OK | os.X_OK):
        # it could be moved aside, and then not be removed
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(mode) & 0o777


def _refused(target: Path, why: str, hint: str = _ELSEWHERE) -> OutputExistsError:
    return OutputExistsError(why, where=str(target), hint=hint)


def _existing(target: Path) -> int | None:
    try:
        return os.stat(target).st_mode
    except FileNotFoundError:
        return None


def _is_replaceable(members: list[str]) -> bool:
    # config.json alone proves nothing: half of all web projects have one
    weights = any(name.endswith((".safetensors", ".index.json")) for name in members)
    return not members or (weights and ".git" not in members)


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _holds(folder: Path, path: Path) -> bool:
    """Whether ``path``, which may not exist yet, lies somewhere in ``folder``."""
    return any(_same(folder, parent) for parent in Path(os.path.realpath(path)).parents)
