"""Files of torch 1.6 and later: zip archives with one folder.

``FOLDER/data.pkl`` is the pickle, ``FOLDER/data/KEY`` the data of each storage, stored as they are;
``FOLDER/byteorder`` says ``big`` when the writer was (torch 2.1 and later). Other members (version,
alignment, a serial number) say nothing that is needed. Source: ``torch/serialization.py`` and
``caffe2/serialize/inline_container.cc``.

The CRC of ``data.pkl`` and ``byteorder`` is checked. The CRCs of the data are not: PyTorch checks
none at all, and there are good files with wrong ones. What ``torch.serialization.skip_data`` leaves
to be filled in later has 0 for good, and what is changed in place through a mapping keeps the old.
"""

from __future__ import annotations

from collections.abc import Mapping

from compress_core.archive import STORED, Archive, Member
from compress_core.errors import FormatError, UnsupportedError
from compress_core.foreign import HEAD, name_foreign
from compress_core.formats.torch.budget import Budget
from compress_core.formats.torch.checkpoint import Checkpoint
from compress_core.formats.torch.feed import MAX_BYTES, Feed, too_long
from compress_core.formats.torch.machine import load
from compress_core.formats.torch.rebuild import Rebuild
from compress_core.formats.torch.records import Storage
from compress_core.inputs import InputFile
from compress_core.strict_json import shown

_PICKLE = "data.pkl"
_ORDER = "byteorder"


def open_zip(file: InputFile) -> Checkpoint:
    """Read the pickle of an archive and find its storages.

    :raises FormatError: a damaged or ambiguous archive, a broken pickle, a record whose size is not
        that of its storage.
    :raises UnsupportedError: no archive of ``torch.save``, or something in it that is not read.
    """
    where = str(file.path)
    _check_head(file)
    archive = Archive.read(file)
    folder = _folder(archive.members, file)
    budget = Budget(file.size, where)
    rebuild = Rebuild(budget, where, views=False)
    if archive.members[f"{folder}/{_PICKLE}"].size > MAX_BYTES:
        raise too_long(where)
    text = archive.content(f"{folder}/{_PICKLE}", MAX_BYTES)
    feed = Feed(lambda start, stop: text[start:stop], 0, len(text), where)
    root = load(feed, rebuild, budget)
    if feed.rest:
        raise FormatError(f"{feed.rest} bytes after the end of {_PICKLE}", where=where)
    starts = {
        key: _start(archive.members.get(f"{folder}/data/{key}"), storage, where)
        for key, storage in rebuild.storages.items()
    }
    swapped = _is_big_endian(archive, f"{folder}/{_ORDER}", where)
    stored = sum(storage.nbytes for storage in rebuild.storages.values())
    return Checkpoint(root, starts, swapped, budget, stored)


def _check_head(file: InputFile) -> None:
    """Name what is clearly something else, even where it is damaged as well."""
    head = file.read(0, min(HEAD, file.size))
    first = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if first and b"/" not in first:
        raise _not_torch(file)


def _folder(members: Mapping[str, Member], file: InputFile) -> str:
    """The one folder that everything is in.

    :raises FormatError: there are two; which one counts depends on the reader.
    :raises UnsupportedError: it is not the folder of ``torch.save``.
    """
    where = str(file.path)
    folders = {name.split("/", 1)[0] if "/" in name else "" for name in members}
    found = sorted(one for one in folders if f"{one}/{_PICKLE}" in members)
    if not found:
        raise _not_torch(file)
    if len(folders) > 1:
        raise FormatError(f"something stands outside of its folder {shown(found[0])}", where=where)
    folder = found[0]
    if any(name.startswith((f"{folder}/code/", f"{folder}/constants.pkl")) for name in members):
        loaded = f"torch.jit.load({where!r})"
        hint = f"save its weights: torch.save({loaded}.state_dict(), 'weights.pt')"
        raise UnsupportedError("a TorchScript archive", where=where, hint=hint)
    return folder


def _not_torch(file: InputFile) -> UnsupportedError:
    foreign = name_foreign(file.read(0, min(HEAD, file.size)))
    name, hint = (foreign.name, foreign.hint(file.path)) if foreign else ("a zip archive", None)
    return UnsupportedError(
        f"{name} without {_PICKLE}: not PyTorch", where=str(file.path), hint=hint
    )


def _start(member: Member | None, storage: Storage, where: str) -> int:
    """Where the data of a storage begin."""
    if member is None:
        raise FormatError(f"no data for storage {shown(storage.key)}", where=where)
    if member.method != STORED:
        said = f"the data of storage {shown(storage.key)} are compressed, and torch stores them"
        raise UnsupportedError(said, where=where)
    if member.size != storage.nbytes:
        said = f"storage {shown(storage.key)} has {member.size} bytes, not {storage.nbytes}"
        raise FormatError(said, where=where)
    return member.start


def _is_big_endian(archive: Archive, name: str, where: str) -> bool:
    if name not in archive.members:
        return False
    order = archive.content(name, 100)
    if order not in (b"little", b"big"):
        raise FormatError(f"its byte order is {order!r}", where=where)
    return order == b"big"
