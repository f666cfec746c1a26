"""What the coverage-guided fuzzer calls: one function for each reader, from bytes to nothing.

Errors of an input are swallowed once they were looked at; everything else is a find.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import ParamSpec

from compress_core.archive import Archive
from compress_core.archive.archive import Names
from compress_core.errors import ModelOptError
from compress_core.formats.numpy.array import open_array
from compress_core.formats.numpy.arrays import open_arrays
from compress_core.formats.safetensors.header import PREFIX, confirm, header_length, parse
from compress_core.formats.torch.budget import Budget
from compress_core.formats.torch.checkpoint import Checkpoint
from compress_core.formats.torch.choice import EVERYTHING
from compress_core.formats.torch.feed import Feed
from compress_core.formats.torch.legacy import open_legacy
from compress_core.formats.torch.machine import load
from compress_core.formats.torch.reader import read_weights
from compress_core.formats.torch.rebuild import Rebuild
from compress_core.formats.torch.zipped import open_zip
from compress_core.inputs import InputFile
from tests.fuzz.memory import MemoryFile, ZeroFile
from tests.fuzz.verdict import check_error, read_all

# elements that are read of each input; more would only make the fuzzer slow
_AT_MOST = 1 << 16
_SMALL_MEMBER = 1 << 18

_WHERE = "fuzzed"

P = ParamSpec("P")
Target = Callable[[bytes], None]


def header(data: bytes) -> None:
    """A header of safetensors: bytes of data behind it (8 bytes), and its text.

    The length is not what the first bytes are in a file: every insertion would make it wrong, and
    nothing behind it would ever be reached.
    """
    size, text = int.from_bytes(data[:PREFIX], "little"), data[PREFIX:]
    _swallow(header_length, data[:PREFIX], len(data), _WHERE)
    _swallow(_header, text, size)


def _header(text: bytes, size: int) -> None:
    found = parse(text, size, _WHERE)
    assert sum(info.nbytes for info in found.infos.values()) == size
    confirm(len(text).to_bytes(PREFIX, "little") + text, _WHERE)


def pickle(data: bytes) -> None:
    """``data.pkl`` of a file of torch 1.6 and later, with zeros for all storages."""
    for key in (None, EVERYTHING):
        _swallow(_pickle, data, key)


def _pickle(data: bytes, key: str | None) -> None:
    budget = Budget(len(data), _WHERE)
    rebuild = Rebuild(budget, _WHERE, views=False)
    feed = Feed(lambda start, stop: data[start:stop], 0, len(data), _WHERE)
    root = load(feed, rebuild, budget)
    sizes = (storage.nbytes for storage in rebuild.storages.values())
    *starts, end = accumulate(sizes, initial=0)
    placed = dict(zip(rebuild.storages, starts, strict=True))
    checkpoint = Checkpoint(root, placed, swapped=True, budget=budget, stored=end)
    _read(ZeroFile(end), checkpoint, key)


def legacy(data: bytes) -> None:
    """A file of torch before 1.6."""
    for key in (None, EVERYTHING):
        _swallow(_legacy, data, key)


def _legacy(data: bytes, key: str | None) -> None:
    file = MemoryFile(data)
    _read(file, open_legacy(file), key)


def _read(file: InputFile, checkpoint: Checkpoint, key: str | None) -> None:
    with read_weights(file, checkpoint, key) as reader:
        read_all(reader, _AT_MOST)


def zipped(data: bytes) -> None:
    """An archive: as such with both rules for names, and as a file of torch."""
    file = MemoryFile(data)
    _swallow(_members, file, "paths")
    _swallow(_members, file, "keys")
    _swallow(_zipped, file)


def _zipped(file: InputFile) -> None:
    _read(file, open_zip(file), EVERYTHING)


def _members(file: InputFile, names: Names) -> None:
    archive = Archive.read(file, names=names)
    for member in archive.members.values():
        if member.size <= _SMALL_MEMBER:
            _swallow(archive.verify, member)
        _swallow(archive.beginning, member, 128)


def npy(data: bytes) -> None:
    """An array of NumPy, or an archive of them."""
    file = MemoryFile(data)
    _swallow(_arrays, file, data.startswith(b"PK"))


def _arrays(file: InputFile, several: bool) -> None:
    with open_arrays(file) if several else open_array(file) as reader:
        read_all(reader, _AT_MOST)


def _swallow(act: Callable[P, object], *given: P.args, **named: P.kwargs) -> None:
    try:
        act(*given, **named)
    except ModelOptError as error:
        check_error(error)


TARGETS: Mapping[str, Target] = {
    "header": header,
    "pickle": pickle,
    "legacy": legacy,
    "zip": zipped,
    "npy": npy,
}
