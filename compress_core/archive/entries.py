"""The entries of an archive: in its directory, and before the data of each member."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from compress_core.archive.broken import broken
from compress_core.archive.end import Directory
from compress_core.archive.extra import FULL32, Extra
from compress_core.archive.member import DEFLATED, STORED, Member
from compress_core.errors import UnsupportedError
from compress_core.inputs import InputFile
from compress_core.strict_json import shown

LOCAL_MAGIC = b"PK\x03\x04"

_CENTRAL = struct.Struct("<4s6H3I5H2I")
_LOCAL = struct.Struct("<4s5H3I2H")

_DESCRIBED = 1 << 3
_UTF8 = 1 << 11
# bits 1 and 2 say how hard deflate tried
_KNOWN_FLAGS = _DESCRIBED | _UTF8 | 0b110

# version 6.3 of APPNOTE.TXT, as the directory says it; Python refuses later ones, too
_LATEST = 63

# a match of 258 bytes takes two bits at least
_MOST_INFLATED = 1032


@dataclass(frozen=True, slots=True)
class Entry:
    """What the directory says of one member.

    :ivar raw_name: as it stands in the file.
    :ivar header: byte of the file where the member's own header begins.
    """

    raw_name: bytes
    flags: int
    method: int
    crc: int
    stored: int
    size: int
    header: int

    @property
    def described(self) -> bool:
        """Whether sizes and CRC are written behind the data, too."""
        return bool(self.flags & _DESCRIBED)

    def descriptors(self) -> Iterator[bytes]:
        """What may stand behind the data: three numbers, two widths, with or without a magic."""
        for form in ("<3I", "<I2Q"):
            if form == "<3I" and max(self.stored, self.size) > FULL32:
                continue
            numbers = struct.pack(form, self.crc, self.stored, self.size)
            yield numbers
            yield b"PK\x07\x08" + numbers


def read_entries(file: InputFile, directory: Directory) -> Iterator[Entry]:
    """The entries of the directory, in its order; they must fill it.

    :raises FormatError: they break the rules.
    :raises UnsupportedError: encryption, or a method other than stored and deflated.
    """
    where = str(file.path)
    text = file.read(directory.start, directory.start + directory.size)
    at = 0
    for _ in range(directory.count):
        entry, at = _entry(text, at, where)
        yield entry
    if at != len(text):
        raise broken("the archive's directory holds more than its entries", where)


def read_member(file: InputFile, entry: Entry, limit: int) -> Member:
    """The member behind an entry: its own header must say the same.

    :param limit: byte of the file that its data may reach.
    :raises FormatError: it says something else, or does not lie within the file.
    """
    where = str(file.path)
    name = _decoded(entry, where)
    if entry.header + _LOCAL.size > limit:
        raise broken(f"member {shown(name)} is outside of the file", where)
    fixed = _LOCAL.unpack(file.read(entry.header, entry.header + _LOCAL.size))
    magic, _, flags, method, _, _, crc, stored, size, name_length, extra_length = fixed
    at = entry.header + _LOCAL.size
    start = at + name_length + extra_length
    if magic != LOCAL_MAGIC or start + entry.stored > limit:
        raise broken(f"member {shown(name)} is not where it should be", where)
    rest = file.read(at, start)
    extra = Extra.parse(rest[name_length:], name, where)
    sizes = extra.local_sizes(size, stored)
    # a name of its own, or a method, is how one reader is shown something else than the other
    same = rest[:name_length] == entry.raw_name and (flags, method) == (entry.flags, entry.method)
    if not same or not _agrees(entry, (crc, *sizes)):
        said = f"member {shown(name)}: its header and the directory contradict each other"
        raise broken(said, where)
    return Member(name, start, entry.size, entry.stored, entry.method, entry.crc)


def _agrees(entry: Entry, said: tuple[int, int, int]) -> bool:
    """Whether CRC, size and stored size are the entry's, or 0 where a descriptor has them."""
    wanted = (entry.crc, entry.size, entry.stored)
    return all(
        one == other or (entry.described and one == 0)
        for one, other in zip(said, wanted, strict=True)
    )


def _entry(text: bytes, at: int, where: str) -> tuple[Entry, int]:
    """The entry at a byte of the directory, and the byte where it ends."""
    start = at + _CENTRAL.size
    if start > len(text):
        raise broken("the archive's directory is cut short", where)
    fixed = _CENTRAL.unpack_from(text, at)
    magic, _, needed, flags, method, _, _, crc, stored, size, *lengths, disk, _, _, header = fixed
    ends = [start + sum(lengths[:count]) for count in (1, 2, 3)]
    if magic != b"PK\x01\x02" or ends[2] > len(text):
        raise broken("the archive's directory is damaged", where)
    raw_name = text[start : ends[0]]
    name = raw_name.decode("utf-8", "replace")
    extra = Extra.parse(text[ends[0] : ends[1]], name, where)
    size, stored, header = extra.central_numbers(size, stored, header)
    entry = Entry(raw_name, flags, method, crc, stored, size, header)
    _check(entry, name, where)
    _check_needs(needed & 0xFF, disk, name, where)  # the other byte names a system
    return entry, ends[2]


def _check(entry: Entry, name: str, where: str) -> None:
    at = f"member {shown(name)}"
    if entry.flags & ~_KNOWN_FLAGS:
        said = "encrypted" if entry.flags & 1 else f"unknown flags {entry.flags:#06x}"
        raise UnsupportedError(f"{at}: {said}", where=where, hint="save it without encryption")
    if entry.method not in (STORED, DEFLATED):
        said = f"{at}: compression method {entry.method}, only stored and deflated are read"
        raise UnsupportedError(said, where=where)
    if entry.method == STORED and entry.stored != entry.size:
        raise broken(f"{at}: stored, and its two sizes differ", where)
    if entry.size > entry.stored * _MOST_INFLATED:
        said = f"{at}: {entry.stored:,} bytes cannot inflate to {entry.size:,}"
        raise broken(said, where)


def _check_needs(version: int, disk: int, name: str, where: str) -> None:
    if version > _LATEST:
        said = f"member {shown(name)}: version {version / 10} of zip, at most 6.3 is read"
        raise UnsupportedError(said, where=where)
    if disk:
        raise UnsupportedError("an archive in several parts", where=where)


def _decoded(entry: Entry, where: str) -> str:
    """A name means the same everywhere when it is ASCII, or is marked as UTF-8 and is."""
    try:
        return entry.raw_name.decode("utf-8" if entry.flags & _UTF8 else "ascii")
    except UnicodeDecodeError as error:
        said = f"the name of a member is not UTF-8: {shown(repr(entry.raw_name)[2:-1])}"
        raise broken(said, where) from error
