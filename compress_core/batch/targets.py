"""What may stand where the outputs of a batch go: judged for all items before one is begun."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from compress_core.atomic import refuse_input, refuse_nested
from compress_core.atomic.failures import output_error
from compress_core.atomic.leftovers import tidy
from compress_core.batch.claims import Claims
from compress_core.batch.items import Item
from compress_core.errors import OutputExistsError, UsageError
from compress_core.inputs import kind_of
from compress_core.journal import FOLDER, Ledger


def refuse_overlaps(items: Sequence[Item], folder: Path) -> None:
    """Refuse what would write twice to one place, or into an input of the batch.

    :raises UsageError: two items have the same output, or one lies in that of another.
    :raises OutputExistsError: an output is an input, or lies in one; no option allows it.
    """
    _refuse_twice(items)
    _refuse_inputs(items)
    for item in items:
        if _below(item.target, folder / FOLDER):
            raise UsageError("the journal of the batch has that name", where=str(item.source))


def refuse_strangers(items: Sequence[Item], folder: Path) -> None:
    """Refuse to replace what no batch in ``folder`` has written.

    :raises OutputExistsError: something stands where an output goes.
    """
    # looked for before the ledger is read: what another run has begun since is in it
    there = [item for item in items if os.path.lexists(item.target)]
    ledger = Ledger(folder)
    for item in there:
        if not ledger.knows(item.name):
            raise OutputExistsError(
                "the output already exists, and no batch has written it",
                where=str(item.target),
                hint="pass --force to replace it",
            )


def prepare(folder: Path) -> None:
    """Make the folder of the outputs, and the one of the journals.

    :raises OutputExistsError: it is no folder.
    :raises OutputError: it cannot be made.
    """
    try:
        if os.path.lexists(folder) and not folder.is_dir():
            kind = kind_of(os.stat(folder).st_mode)
            raise OutputExistsError(
                f"the output is {kind}, and a folder is to be written",
                where=str(folder),
                hint="choose another output",
            )
        folder.mkdir(exist_ok=True)
        (folder / FOLDER).mkdir(exist_ok=True)
    except OSError as error:
        raise output_error(error, folder, 0) from error
    Claims(folder).close()  # whether a file can be made there shall be known now


def tidy_up(items: Sequence[Item]) -> None:
    """Remove what killed runs left beside the outputs, also beside those that were done since."""
    by_folder: dict[Path, list[str]] = {}
    for item in items:
        by_folder.setdefault(item.target.parent, []).append(item.target.name)
    for folder, names in by_folder.items():
        hidden = [name for name in _listed(folder) if name.startswith(".")]
        if hidden:
            for name in names:
                if any(other.startswith(f".{name}.") for other in hidden):
                    tidy(Path(os.path.realpath(folder / name)))


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # nothing was written there
        return []


def _refuse_twice(items: Sequence[Item]) -> None:
    taken: dict[Path, Item] = {}
    for item in items:
        other = taken.setdefault(item.target, item)
        if other is not item:
            raise _collision(item, other)
    for item in items:
        for parent in item.target.parents:
            if parent in taken:
                raise _collision(item, taken[parent])


def _collision(item: Item, other: Item) -> UsageError:
    return UsageError(
        f"two inputs with one output: {other.source} is in the way",
        where=str(item.source),
        hint="give them in two batches, with an output folder each",
    )


def _refuse_inputs(items: Sequence[Item]) -> None:
    sources = {os.path.realpath(item.source): item for item in items}
    for item in items:
        target = os.path.realpath(item.target)
        for place in (target, *map(str, Path(target).parents)):
            if place in sources:
                refuse_input(item.target, sources[place].source)
        if os.path.isdir(item.source):
            refuse_nested(item.target, item.source)
        else:
            refuse_input(item.target, item.source)


def _below(path: Path, folder: Path) -> bool:
    return folder == path or folder in path.parents
