"""Read several arrays by name: ``.npz``, a zip archive with an ``.npy`` for each."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial

from compress_core.archive import DEFLATED, Archive, Member
from compress_core.errors import FormatError
from compress_core.formats.numpy.header import read_header
from compress_core.formats.numpy.marks import SUFFIX
from compress_core.inputs import InputFile
from compress_core.strict_json import shown
from compress_core.views import Placed, ViewReader


class ArraysReader(ViewReader):
    """The arrays of an archive, in the order of its directory.

    The CRC of a member is checked when its data are first read, as NumPy does. Deflated members are
    inflated into a temporary file then; stored ones are read by rows where they stand.

    How large arrays may be, deflate itself bounds: 1032 times their bytes in the file, which the
    archive checks. They take time and room on the disk in proportion, and never memory.

    :param file: open; closed with the reader.
    :raises InputError: unreadable, corrupt, hostile or not supported.
    """

    def __init__(self, file: InputFile) -> None:
        # keys such as W and w, or /conv/w, are usual, and no key ever becomes a path
        archive = Archive.read(file, names="keys")
        placed = [_placed(archive, one, str(file.path)) for one in archive.members.values()]
        super().__init__(file.path, file, placed)
        self._deflated = _deflated_sizes(archive.members)

    def stored_bytes(self, name: str) -> int:
        """Bytes that a tensor takes in the archive."""
        return self._deflated.get(name, self.infos[name].nbytes)


def open_arrays(file: InputFile) -> ArraysReader:
    """The arrays of an archive, as tensors with their keys as names.

    :raises InputError: unreadable, corrupt, hostile or not supported.
    """
    return ArraysReader(file)


def _placed(archive: Archive, member: Member, where: str) -> Placed:
    at = f"member {shown(member.name)}: "
    if not member.name.endswith(SUFFIX):
        said = f"{at}its name does not end in {SUFFIX}, so it is no array of NumPy"
        raise FormatError(said, where=where, hint=_without(member, where))
    header = read_header(partial(archive.beginning, member), member.size, at, where)
    info = header.info(_key(member))
    return Placed(info, header.view(0), archive.source(member))


def _without(member: Member, where: str) -> str:
    named = member.name if member.name.isprintable() else "MEMBER"
    return f"take it out: zip -d {shlex.quote(where)} {shlex.quote(named)}"


def _key(member: Member) -> str:
    return member.name.removesuffix(SUFFIX)


def _deflated_sizes(members: Mapping[str, Member]) -> dict[str, int]:
    deflated = (one for one in members.values() if one.method == DEFLATED)
    return {_key(one): one.stored for one in deflated}
