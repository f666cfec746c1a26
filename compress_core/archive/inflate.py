"""The content of a member as a stream, checked at its end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from compress_core.archive.broken import broken
from compress_core.archive.member import DEFLATED, Member
from compress_core.errors import FormatError
from compress_core.inputs import InputFile
from compress_core.strict_json import shown
from compress_core.views import Sequential

CHUNK = 1 << 20

# deflated bytes that are read at once; few of them hold a header
_LEAST_READ, _MOST_READ = 1 << 12, 1 << 16


class MemberStream(Sequential):
    """The content of one member, in pieces of at most 1 MiB.

    More bytes than ``size`` never come out, whatever the data would inflate to.

    :ivar size: bytes that the archive promises.
    :param checked: whether the CRC counts.
    """

    def __init__(self, file: InputFile, member: Member, *, checked: bool = True) -> None:
        self.size = member.size
        self._file = file
        self._member = member
        self._checked = checked

    def chunks(self) -> Iterator[bytes]:
        """All of it; size and CRC-32 are known to be right when the last piece was taken.

        :raises FormatError: damaged, or more or fewer bytes than promised.
        :raises InputError: the file cannot be read, or has changed.
        """
        crc, left = 0, self.size
        for chunk in self._uncompressed():
            left -= len(chunk)
            if left < 0:
                raise self._damaged(f"more than the {self.size:,} bytes that it promises")
            crc = zlib.crc32(chunk, crc)
            yield chunk
        if left:
            raise self._damaged(f"{left:,} bytes fewer than it promises")
        self._compare(crc)

    def verify(self) -> None:
        """Read all of it, and keep nothing.

        :raises FormatError: damaged, or more or fewer bytes than promised.
        :raises InputError: the file cannot be read, or has changed.
        """
        if self._member.method == DEFLATED:
            for _ in self.chunks():
                pass
        elif self._checked:
            self._compare(self._crc_of_stored())

    def beginning(self, count: int) -> bytes:
        """The first ``count`` bytes, or all where there are fewer; not checked by a CRC.

        :raises FormatError: damaged already there.
        """
        wanted = min(count, self.size)
        found = bytearray()
        for chunk in self._uncompressed(wanted):
            found += chunk
            if len(found) >= wanted:
                break
        if len(found) < wanted:
            raise self._damaged("cut short")
        return bytes(found[:wanted])

    def _crc_of_stored(self) -> int:
        start, stop = self._member.start, self._member.start + self._member.stored
        # getting new memory for each piece would take longer than the CRC
        buffer = memoryview(bytearray(min(CHUNK, self.size)))
        crc = 0
        for at in range(start, stop, CHUNK):
            piece = buffer[: min(CHUNK, stop - at)]
            self._file.read_into(piece, at)
            crc = zlib.crc32(piece, crc)
        return crc

    def _compare(self, crc: int) -> None:
        if self._checked and crc != self._member.crc:
            raise self._damaged("its CRC is wrong")

    def _uncompressed(self, chunk: int = CHUNK) -> Iterator[bytes]:
        """:param chunk: how much to read and to give out at once, at most."""
        chunk = max(1, min(chunk, CHUNK))
        if self._member.method == DEFLATED:
            try:
                yield from self._inflated(chunk)
            except zlib.error as error:
                raise self._damaged("deflated data are broken") from error
        else:
            yield from self._raw(chunk)

    def _inflated(self, chunk: int) -> Iterator[bytes]:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        taken = 0
        for data in self._raw(max(min(chunk, _MOST_READ), _LEAST_READ)):
            if inflater.eof:
                break
            taken += len(data)
            full = True
            while full:
                piece = inflater.decompress(data, chunk)
                data = inflater.unconsumed_tail
                # after a piece that fills the chunk more may wait inside, without any input
                full = bool(data) or len(piece) == chunk
                yield piece
        if not inflater.eof:
            raise self._damaged("cut short")
        if taken - len(inflater.unused_data) != self._member.stored:
            raise self._damaged("something stands behind its deflated data")

    def _raw(self, chunk: int) -> Iterator[bytes]:
        """The data as they stand in the file."""
        start, stop = self._member.start, self._member.start + self._member.stored
        for at in range(start, stop, chunk):
            yield self._file.read(at, min(at + chunk, stop))

    def _damaged(self, why: str) -> FormatError:
        said = f"member {shown(self._member.name)} is damaged: {why}"
        return broken(said, str(self._file.path))
