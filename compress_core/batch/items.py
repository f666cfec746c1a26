"""Which inputs a batch has, and what their outputs are called."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from compress_core.batch.root import settled
from compress_core.batch.search import Search
from compress_core.errors import UsageError
from compress_core.opening import stem

_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Item:
    """One input.

    :ivar name: its path below the root of the batch.
    :ivar source: as somebody wrote or found it.
    :ivar target: where the output goes.
    """

    name: str
    source: Path
    target: Path


@dataclass(frozen=True)
class Gathered:
    """All inputs of a batch.

    :ivar items: in the order of the request, each once.
    :ivar root: the folder that their names begin below.
    :ivar notes: what must be said of how they were found.
    """

    items: tuple[Item, ...]
    root: str
    notes: tuple[str, ...] = ()


def gather(paths: Iterable[str], folder: Path, root: Path | None = None) -> Gathered:
    """The items of a batch.

    :param paths: files; checkpoint folders; folders to walk through; patterns (``* ? [..]``, and
        ``**`` for folders at any depth) where no file has just that name.
    :param folder: where the outputs go. What lies in it is not found by walking or by a pattern,
        and neither is what lies in such a folder of another batch.
    :param root: the folder that names begin below; ``None``: that of the runs before in ``folder``,
        in a new one the deepest that has all inputs.
    :raises UsageError: a path or pattern stands for nothing, no input exists, one does not lie
        below the root, or ``root`` is not that of the runs before.
    :raises InputError: a folder cannot be listed.
    """
    search = Search(folder)
    found = [search.find(path) for path in paths]
    sources = list(dict.fromkeys(source for one in found for source in one.sources))
    _refuse_nothing(sources)
    top = settled(root, _common(one.anchor for one in found), sources, folder)
    items = (_item(source, top, folder) for source in sources)
    return Gathered(tuple({item.name: item for item in items}.values()), top, search.notes)


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


def _common(anchors: Iterable[str]) -> str:
    return os.path.commonpath([os.path.abspath(anchor) for anchor in anchors])


def _item(source: str, top: str, folder: Path) -> Item:
    path = os.path.abspath(source)
    name = os.path.relpath(path, top)
    if name.split(os.sep)[0] in (os.curdir, os.pardir):
        hint = f"--root {shlex.quote(os.path.dirname(path))}"
        raise UsageError("not below the root", where=source, hint=hint)
    target = folder / name
    if not os.path.isdir(path):
        target = target.with_name(f"{stem(target)}{_SUFFIX}")
    return Item(name, Path(source), target)
