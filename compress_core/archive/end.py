"""The records at the end of an archive: where its directory is."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from compress_core.archive.broken import broken
from compress_core.errors import FormatError, UnsupportedError
from compress_core.inputs import InputFile

END_MAGIC = b"PK\x05\x06"

_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_FULL16, _FULL32 = 0xFFFF, 0xFFFF_FFFF

# a hundred thousand tensors take 10 MB of directory
_MAX_DIRECTORY = 32_000_000


@dataclass(frozen=True)
class Directory:
    """Where the directory of an archive is.

    :ivar start: its first byte; it ends where the end records begin.
    :ivar count: how many entries it has.
    """

    start: int
    size: int
    count: int


def find_directory(file: InputFile) -> Directory:
    """Read the end records; the last 22 bytes of the file must be one.

    :raises FormatError: cut short, or the records contradict each other or the file.
    :raises UnsupportedError: several disks, or a comment at the end.
    """
    at = file.size - _END.size
    found = _Claim.of_end(file, at) if at >= 0 else None
    if found is None:
        raise _bad_end(file)
    start, found = _with_zip64(file, at, found)
    where = str(file.path)
    if found.start + found.size != start:
        said = f"the archive's directory ends at byte {found.start + found.size}, not at {start}"
        raise broken(said, where)
    if found.size > _MAX_DIRECTORY:
        raise UnsupportedError(f"an archive directory of {found.size:,} bytes", where=where)
    return Directory(found.start, found.size, found.count)


@dataclass(frozen=True)
class _Claim:
    """What an end record says."""

    count: int
    size: int
    start: int

    @classmethod
    def of_end(cls, file: InputFile, at: int) -> _Claim | None:
        magic, disk, first_disk, here, count, size, start, comment = _END.unpack(
            file.read(at, at + _END.size)
        )
        if magic != END_MAGIC or comment:
            return None
        _refuse_disks(file, disk, first_disk, here != count)
        return cls(count, size, start)

    @classmethod
    def of_end64(cls, file: InputFile, at: int) -> _Claim:
        text = file.read(at, at + _END64.size)
        magic, length, _, _, disk, first_disk, here, count, size, start = _END64.unpack(text)
        if magic != b"PK\x06\x06" or length != _END64.size - 12:
            raise broken("a broken zip64 end record", str(file.path))
        _refuse_disks(file, disk, first_disk, here != count)
        return cls(count, size, start)

    @property
    def complete(self) -> bool:
        return self.count != _FULL16 and _FULL32 not in (self.size, self.start)

    def agrees_with(self, larger: _Claim) -> bool:
        """Whether every number is the one of the zip64 record, or says that it stands there."""
        return (
            self.count in (larger.count, _FULL16)
            and self.size in (larger.size, _FULL32)
            and self.start in (larger.start, _FULL32)
        )


def _with_zip64(file: InputFile, end: int, found: _Claim) -> tuple[int, _Claim]:
    """The byte where the end records begin, and what they say; PyTorch always writes zip64 ones."""
    at = end - _LOCATOR.size
    text = file.read(at, end) if at >= 0 else b""
    where = str(file.path)
    if not text.startswith(b"PK\x06\x07"):
        if not found.complete:
            raise broken("the zip64 end record of the archive is missing", where)
        return end, found
    _, disk, record, disks = _LOCATOR.unpack(text)
    _refuse_disks(file, disk, disks - 1)
    if record != at - _END64.size or record < 0:
        raise broken("the zip64 end record of the archive is not at its place", where)
    larger = _Claim.of_end64(file, record)
    if not found.agrees_with(larger):
        raise broken("the two end records of the archive contradict each other", where)
    return record, larger


def _refuse_disks(file: InputFile, *numbers: int) -> None:
    if any(numbers):
        raise UnsupportedError("an archive in several parts", where=str(file.path))


def _bad_end(file: InputFile) -> FormatError:
    tail = file.read(max(0, file.size - _END.size - _FULL16), file.size)
    if END_MAGIC in tail:
        return broken("something stands behind the archive", str(file.path))
    return broken("an archive that is cut short", str(file.path))
