"""Which inputs a batch has, and what their outputs are called."""

from __future__ import annotations

import glob
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compress_core.errors import UsageError
from compress_core.formats.folder.contents import is_checkpoint
from compress_core.inputs import unreadable
from compress_core.opening import looks_like_weights

_SUFFIX = ".safetensors"
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Item:
    """One input.

    :ivar name: its path below the folder that all inputs have in common.
    :ivar source: as somebody wrote or found it.
    :ivar target: where the output goes.
    """

    name: str
    source: Path
    target: Path


@dataclass(frozen=True)
class _Found:
    """What one word of the request stands for.

    :ivar anchor: the folder that it names, whatever is in there today; names begin below it.
    """

    anchor: str
    sources: tuple[str, ...]


def gather(paths: Iterable[str], folder: Path, root: Path | None = None) -> list[Item]:
    """The items of a batch, in the order of the request, each once.

    :param paths: files; checkpoint folders; folders to walk through; patterns (``* ? [..]``, and
        ``**`` for folders at any depth) where no file has just that name.
    :param folder: where the outputs go. What lies in it is not found by walking or by a pattern.
    :param root: the folder that names begin below; ``None``: the deepest one that has all inputs.
    :raises UsageError: a path or pattern stands for nothing, no input exists, or one does not lie
        below ``root``.
    :raises InputError: a folder cannot be listed.
    """
    found = [_find(path, folder) for path in paths]
    sources = list(dict.fromkeys(source for one in found for source in one.sources))
    _refuse_nothing(sources)
    top = os.path.abspath(root) if root is not None else _common(one.anchor for one in found)
    items = (_item(source, top, folder) for source in sources)
    return list({item.name: item for item in items}.values())


def _refuse_nothing(sources: list[str]) -> None:
    if not sources:
        raise UsageError(
            "there are no inputs", hint="name files, folders or patterns besides the output folder"
        )
    where = next((source for source in sources if not os.path.lexists(source)), None)
    if where is not None:
        raise UsageError(
            "no such file",
            where=where,
            hint=f"see what is there: ls {shlex.quote(os.path.dirname(where) or '.')}",
        )


def _find(path: str, folder: Path) -> _Found:
    if not os.path.lexists(path) and _MAGIC.search(path):
        return _find_by_pattern(path, folder)
    above = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(path) or is_checkpoint(Path(path)):
        return _Found(above, (path,))
    if os.path.realpath(path) == os.path.realpath(folder):  # a shell's pattern brings it along
        return _Found(above, ())
    sources = tuple(_walk(path, _skipped(path, folder)))
    if not sources:
        hint = f"see what is there: ls -R {shlex.quote(path)}"
        raise UsageError("no weights in this folder", where=path, hint=hint)
    return _Found(path, sources)


def _find_by_pattern(pattern: str, folder: Path) -> _Found:
    anchor = os.path.dirname(_MAGIC.split(pattern)[0]) or os.curdir
    skipped = _skipped(anchor, folder)
    matches = sorted(glob.glob(pattern, recursive=True))
    sources = tuple(source for match in matches for source in _below(match, skipped))
    if not sources:
        hint = f"see what is there: ls {shlex.quote(anchor)}"
        raise UsageError("no file matches the pattern", where=pattern, hint=hint)
    return _Found(anchor, sources)


def _skipped(top: str, folder: Path) -> str | None:
    """The real path of ``folder``, if it lies below ``top``."""
    real, above = os.path.realpath(folder), os.path.realpath(top)
    return real if real != above and _is_in(real, above) else None


def _is_in(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder


def _below(path: str, skipped: str | None) -> Iterable[str]:
    """``path`` itself, or what a folder that is no checkpoint holds."""
    if skipped is not None and _is_in(os.path.realpath(path), skipped):
        return ()
    walked = os.path.isdir(path) and not is_checkpoint(Path(path))
    return _walk(path, skipped) if walked else (path,)


def _walk(top: str, skipped: str | None) -> Iterator[str]:
    """Weight files and checkpoints at any depth, sorted; nothing hidden, and no linked folders."""
    for name in _listed(top):
        path = os.path.join(top, name)
        if name.startswith("."):
            continue
        if not os.path.isdir(path):
            if looks_like_weights(Path(path)):
                yield path
        elif is_checkpoint(Path(path)):
            yield path
        elif not os.path.islink(path) and os.path.realpath(path) != skipped:
            yield from _walk(path, skipped)


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise unreadable(error, Path(folder)) from error


def _common(anchors: Iterable[str]) -> str:
    return os.path.commonpath([os.path.abspath(anchor) for anchor in anchors])


def _item(source: str, top: str, folder: Path) -> Item:
    path = os.path.abspath(source)
    name = os.path.relpath(path, top)
    if name.split(os.sep)[0] in (os.curdir, os.pardir):
        raise UsageError("not below the root", where=source, hint=f"--root {os.path.dirname(path)}")
    target = folder / name
    return Item(name, Path(source), target if os.path.isdir(path) else target.with_suffix(_SUFFIX))
