"""An archive whose headers were all checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from compress_core.archive.broken import broken
from compress_core.archive.end import END_MAGIC, find_directory
from compress_core.archive.entries import LOCAL_MAGIC, Entry, read_entries, read_member
from compress_core.archive.inflate import MemberStream
from compress_core.archive.member import DEFLATED, Member
from compress_core.archive.stored import StoredMember
from compress_core.errors import InputError
from compress_core.inputs import InputFile
from compress_core.near import did_you_mean
from compress_core.strict_json import shown
from compress_core.views import Sequential, Source

Names = Literal["paths", "keys"]


class Archive:
    """The members of a zip archive and their content.

    :ivar members: by name, in the order of the directory; folders are left out.
    :ivar checkable: whether there are CRCs. PyTorch can be told to write none: all are 0 then, and
        content is only checked for its size.
    """

    def __init__(self, file: InputFile, members: Mapping[str, Member]) -> None:
        self.members = members
        self.checkable = any(one.crc for one in members.values())
        self._file = file

    @classmethod
    def read(cls, file: InputFile, *, names: Names = "paths") -> Archive:
        """Read the directory and the header before every member; no content yet.

        :param file: stays the caller's, who closes it.
        :param names: ``paths``: some readers ignore case, so names must differ in more than that,
            and none may be absolute or climb with ``..``; ``keys``: names mean nothing but
            themselves. NUL and backslash, which readers change, are refused in both.
        :raises FormatError: no archive, a damaged one, or one that has two meanings.
        :raises UnsupportedError: encrypted, in parts, or compressed in another way than by deflate.
        """
        magic = file.read(0, min(4, file.size))
        # an empty archive is its end record alone
        if magic != LOCAL_MAGIC and not (magic == END_MAGIC and file.size == 22):
            raise broken("not a zip archive", str(file.path))
        directory = find_directory(file)
        placed: list[tuple[Entry, Member]] = []
        for entry in read_entries(file, directory):
            placed.append((entry, read_member(file, entry, directory.start)))
        _check_tiling(file, placed, directory.start)
        members = [member for _, member in placed]
        _check_names((member.name for member in members), names, str(file.path))
        return cls(file, {one.name: one for one in members if not _is_folder(one)})

    def content(self, name: str, at_most: int) -> bytes:
        """All of a small member; its CRC is checked, if there are any.

        :param at_most: bytes that it may have.
        :raises InputError: there is no such member, or it has more; or it is damaged.
        """
        member = self._named(name)
        if member.size > at_most:
            said = f"member {shown(name)}: {member.size:,} bytes, at most {at_most:,} are read"
            raise InputError(said, where=str(self._file.path))
        return b"".join(self.sequential(member).chunks())

    def sequential(self, member: Member) -> MemberStream:
        """The content of a member, stored or deflated, one piece after the other."""
        return MemberStream(self._file, member, checked=self.checkable)

    def source(self, member: Member) -> Source | Sequential:
        """The content of a member, as it is best read; its CRC is checked before or while it is."""
        if member.method == DEFLATED:
            return self.sequential(member)
        return StoredMember(self._file, member, self.verify)

    def beginning(self, member: Member, count: int) -> bytes:
        """The first ``count`` bytes of a member, or all where there are fewer, without a check.

        :raises FormatError: damaged already there.
        """
        return self.sequential(member).beginning(count)

    def verify(self, member: Member) -> None:
        """Read a member to its end and check its CRC.

        :raises FormatError: it is damaged.
        """
        self.sequential(member).verify()

    def _named(self, name: str) -> Member:
        if name not in self.members:
            hint = did_you_mean(name, self.members, "members")
            raise InputError(f"no member {shown(name)}", where=str(self._file.path), hint=hint)
        return self.members[name]


def _check_tiling(file: InputFile, placed: Iterable[tuple[Entry, Member]], end: int) -> None:
    """Members must follow each other: no overlap, and nothing in between but descriptors."""
    where = str(file.path)
    in_order = sorted(placed, key=lambda one: one[0].header)
    begins = [*(entry.header for entry, _ in in_order), end]
    if begins[0] != 0:
        raise broken("something stands before the first member", where)
    for (entry, member), begin in zip(in_order, begins[1:], strict=True):
        gap = begin - (member.start + member.stored)
        if gap < 0:
            said = f"member {shown(member.name)} overlaps the next one"
            raise broken(said, where)
        if not _filled(file, entry, begin - gap, gap):
            said = f"something stands behind member {shown(member.name)}"
            raise broken(said, where)


def _filled(file: InputFile, entry: Entry, start: int, gap: int) -> bool:
    """Whether behind a member there is its descriptor, or nothing where it has none."""
    if not entry.described:
        return gap == 0
    return gap <= 24 and file.read(start, start + gap) in entry.descriptors()


def _check_names(names: Iterable[str], kind: Names, where: str) -> None:
    seen: set[str] = set()
    for name in names:
        parts = name.split("/")
        climbs = kind == "paths" and (parts[0] == "" or ".." in parts)
        if name == "" or "\0" in name or "\\" in name or climbs:
            raise broken(f"{shown(name)} is no name of a member", where)
        same = name.casefold() if kind == "paths" else name
        if same in seen:
            raise broken(f"member {shown(name)} stands there twice", where)
        seen.add(same)


def _is_folder(member: Member) -> bool:
    return member.name.endswith("/") and member.size == 0
