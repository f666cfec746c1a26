"""The folder that the names of a batch begin below: decided by its first run, kept by all others.

It is written down beside the journals, in two ways. As a path from the folder of the outputs it
holds on where both were moved together, or stand below another mount point on another machine; as
an absolute path it holds on where the outputs alone were moved. Either is enough.
"""

from __future__ import annotations

import errno
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from compress_core.atomic.failures import output_error
from compress_core.atomic.flush import sync_folder
from compress_core.errors import FormatError, InputError, UsageError
from compress_core.fingerprint import path_of, text_of
from compress_core.inputs import InputFile
from compress_core.journal import FOLDER
from compress_core.strict_json import parse_object

SCHEMA = "modelopt.root/1"
NAME = "root.json"
MAX_BYTES = 1 << 20

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def settled(asked: Path | None, derived: str, sources: Sequence[str], folder: Path) -> str:
    """The root of a run, as an absolute path that leads to its inputs.

    :param asked: what somebody wrote; it has to be that of the runs before.
    :param derived: what it is if nobody has ever said anything.
    :param sources: the inputs, which have to lie below it. They may also lie deeper: fewer inputs
        have the names that they had among more.
    :param folder: where the outputs go.
    :raises UsageError: the runs before had another one.
    :raises InputError: what they had cannot be read.
    """
    places = recorded(folder)
    if not places:
        return derived if asked is None else os.path.abspath(asked)
    if asked is not None and os.path.realpath(asked) not in places:
        raise _refused(os.path.abspath(asked), places, folder)
    found = _leading_to(sources, places)
    if found is None:
        raise _too_far(sources, derived, places, folder)
    return found


def keep(folder: Path, root: str) -> None:
    """Write down the root of a batch, if this is the first run that does; the folder exists.

    :raises UsageError: another run was first, and has decided otherwise.
    :raises OutputError: it cannot be written.
    """
    if not recorded(folder):
        _create(folder / FOLDER / NAME, _text(root, folder))
    places = recorded(folder)
    if places and os.path.realpath(root) not in places:
        raise _refused(root, places, folder)


def recorded(folder: Path) -> tuple[str, ...]:
    """Where the root of a batch may be by now, as real paths, the likeliest first; none: not kept.

    :raises InputError: what is kept is damaged.
    """
    path = folder / FOLDER / NAME
    if not os.path.lexists(path):
        return ()
    try:
        relative, absolute = _parsed(path)
    except InputError as error:
        raise type(error)(
            f"the root of the batch cannot be read: {error.message}",
            where=str(path),
            hint=f"rm {shlex.quote(str(path))}, and say it once more: --root DIR",
        ) from error
    here = os.path.realpath(os.path.join(os.path.realpath(folder), relative))
    return tuple(dict.fromkeys((here, absolute)))


def _parsed(path: Path) -> tuple[str, str]:
    with closing(InputFile(path)) as file:
        if file.size > MAX_BYTES:
            raise FormatError("larger than 1 MiB", where=str(path))
        found = parse_object(file.read(0, file.size), what="root", where=str(path))
    if found.get("schema") != SCHEMA:
        raise FormatError(f"not of schema {SCHEMA}", where=str(path))
    relative, absolute = _path(found, "root", path), _path(found, "absolute", path)
    if os.path.isabs(relative) or not os.path.isabs(absolute):
        raise FormatError("root is not relative, or absolute is", where=str(path))
    return relative, absolute


def _path(found: Mapping[str, Any], key: str, file: Path) -> str:
    text = found.get(key)
    if not isinstance(text, str) or not text or "\0" in (path := path_of(text)):
        raise FormatError(f"{key} is no path", where=str(file))
    return path


def _text(root: str, folder: Path) -> str:
    real = os.path.realpath(root)
    relative = os.path.relpath(real, os.path.realpath(folder))
    said = {"schema": SCHEMA, "root": text_of(relative), "absolute": text_of(real)}
    return json.dumps(said, indent=2) + "\n"


def _leading_to(sources: Sequence[str], places: Sequence[str]) -> str | None:
    """The folder above all inputs that is one of ``places``, whatever links it is reached by."""
    inner = Path(os.path.commonpath([os.path.dirname(os.path.abspath(one)) for one in sources]))
    above = {os.path.realpath(one): str(one) for one in (*reversed(inner.parents), inner)}
    return next((above[place] for place in places if place in above), None)


def _refused(root: str, places: Sequence[str], folder: Path) -> UsageError:
    known = _there(places)
    return UsageError(
        f"the outputs in {folder} are named below {known or places[0]}, and not below {root}",
        where=str(folder / FOLDER / NAME),
        hint=f"--root {shlex.quote(known)}" if known else _moved(root, folder),
    )


def _too_far(
    sources: Sequence[str], derived: str, places: Sequence[str], folder: Path
) -> UsageError:
    known = _there(places)
    hint = (
        known and f"--root {shlex.quote(known)} for what lies there; another -O for what does not"
    )
    return UsageError(
        f"the outputs in {folder} are named below {known or places[0]},"
        f" and these inputs lie below {derived}",
        where=next((one for one in sources if _leading_to([one], places) is None), sources[0]),
        hint=hint or _moved(derived, folder),
    )


def _there(places: Sequence[str]) -> str | None:
    return next((place for place in places if os.path.isdir(place)), None)


def _moved(root: str, folder: Path) -> str:
    """What to do where the root of before is gone."""
    file = shlex.quote(str(folder / FOLDER / NAME))
    return f"if it was moved there: rm {file}, and say --root {shlex.quote(root)}"


def _create(path: Path, text: str) -> None:
    """Make a file, whole and on the disk, unless there is one by now."""
    # numbers of processes repeat across machines that share a folder
    part = path.with_name(f".{NAME}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        with part.open("x", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _publish(part, path)
        sync_folder(path.parent)
    except OSError as error:
        raise output_error(error, path, len(text)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _publish(part: Path, path: Path) -> None:
    """Give a file its name, unless that is taken; a rename would replace what has it."""
    try:
        os.link(part, path)
    except FileExistsError:
        return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # no hard links here: of two first runs in the very same moment the later one decides
        if not os.path.lexists(path):
            os.rename(part, path)
