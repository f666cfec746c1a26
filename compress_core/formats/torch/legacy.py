"""Files of torch before 1.6, and those that are still saved in that way: pickles, then data.

Five pickles follow each other: a magic number, a version, facts about the writer, the value, and
the keys of all storages; then for each key the number of elements (int64) and the elements. Source:
``_legacy_save`` in ``torch/serialization.py``.

The data are little-endian, and so is each number of elements, even where the facts say that the
writer was not: ``torch/csrc/serialization.cpp`` swaps what it writes and reads on such machines.
"""

from __future__ import annotations

from compress_core.errors import FormatError, UnsupportedError
from compress_core.formats.torch.budget import Budget
from compress_core.formats.torch.checkpoint import Checkpoint
from compress_core.formats.torch.feed import Feed
from compress_core.formats.torch.machine import load
from compress_core.formats.torch.rebuild import Rebuild
from compress_core.formats.torch.records import Storage
from compress_core.inputs import InputFile
from compress_core.strict_json import shown

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001

_COUNT = 8


def open_legacy(file: InputFile) -> Checkpoint:
    """Read the pickles of a file and find its storages.

    :raises FormatError: a broken pickle, keys or numbers that do not agree, or a file that does not
        end with its data.
    :raises UnsupportedError: another pickle than those of ``torch.save``, or something in it that
        is not read.
    """
    where = str(file.path)
    _check_magic(file)
    budget = Budget(file.size, where)
    feed = Feed(file.read, 0, file.size, where)
    facts = Rebuild(budget, where, views=True)
    rebuild = Rebuild(budget, where, views=True)
    _expect(load(feed, facts, budget), _MAGIC, "magic number", where)
    _expect(load(feed, facts, budget), _VERSION, "version", where)
    if not isinstance(load(feed, facts, budget), dict):
        raise FormatError("broken pickle: its third value is no dictionary", where=where)
    root = load(feed, rebuild, budget)
    keys = load(feed, facts, budget)
    storages = _in_order(keys, rebuild.storages, where)
    starts = _starts(file, feed.position, storages)
    stored = sum(storage.nbytes for storage in storages)
    return Checkpoint(root, starts, False, budget, stored)


def _check_magic(file: InputFile) -> None:
    """A pickle of anything else gets a better answer than what breaks first in it."""
    number = _MAGIC.to_bytes(10, "little")
    if number not in file.read(0, min(file.size, 64)):
        raise UnsupportedError(
            "a pickle that torch.save did not write",
            where=str(file.path),
            hint="load it where it was made, and save its weights with torch.save",
        )


def _expect(value: object, expected: int, what: str, where: str) -> None:
    if type(value) is not int or value != expected:
        raise FormatError(f"broken pickle: not the {what} of torch.save", where=where)


def _in_order(keys: object, storages: dict[str, Storage], where: str) -> list[Storage]:
    """The storages as their data follow each other: each once, and no other."""
    if type(keys) is not list:
        raise FormatError("broken pickle: the keys of its storages are no list", where=where)
    found: dict[str, Storage] = {}
    for key in keys:
        if type(key) is not str or key not in storages:
            raise FormatError("data for a storage that no tensor has", where=where)
        if key in found:
            raise FormatError(f"data for storage {shown(key)} twice", where=where)
        found[key] = storages[key]
    for key in storages:
        if key not in found:
            raise FormatError(f"no data for storage {shown(key)}", where=where)
    return list(found.values())


def _starts(file: InputFile, position: int, storages: list[Storage]) -> dict[str, int]:
    """Where the data of each storage begin; the last must end with the file."""
    where = str(file.path)
    starts: dict[str, int] = {}
    for storage in storages:
        start = position + _COUNT
        position = start + storage.nbytes
        if position > file.size:
            raise FormatError("cut short: its data reach past its end", where=where)
        count = int.from_bytes(file.read(start - _COUNT, start), "little", signed=True)
        if count != storage.count:
            said = f"storage {shown(storage.key)} has {count} elements, not {storage.count}"
            raise FormatError(said, where=where)
        starts[storage.key] = start
    if position != file.size:
        raise FormatError(f"{file.size - position} bytes after the last storage", where=where)
    return starts
