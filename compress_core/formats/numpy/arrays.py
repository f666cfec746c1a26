"""Read several arrays by name: ``.npz``, a zip archive with an ``.npy`` for each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from compress_core.archive import DEFLATED, Archive, Member
from compress_core.errors import FormatError, UnsupportedError
from compress_core.formats.numpy.header import read_header
from compress_core.inputs import InputFile
from compress_core.strict_json import shown
from compress_core.views import Placed, ViewReader

SUFFIX = ".npy"

# deflate makes zeros a thousand times smaller; that many of them are a mistake, or malice
_MOST_EXPANDED = 64
_ALWAYS_ALLOWED = 1 << 30


class ArraysReader(ViewReader):
    """The arrays of an archive, in the order of its directory.

    Deflated members are inflated into a temporary file when they are first read, and their CRC is
    checked then. Stored ones are read by rows where they stand, so their CRC is not checked.

    :param file: open; closed with the reader.
    :raises InputError: unreadable, corrupt, hostile or not supported.
    """

    def __init__(self, file: InputFile) -> None:
        # keys such as W and w, or /conv/w, are usual, and no key ever becomes a path
        archive = Archive.read(file, names="keys")
        placed = [_placed(archive, one, str(file.path)) for one in archive.members.values()]
        _refuse_bomb(sum(one.info.nbytes for one in placed), file)
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
        raise FormatError(said, where=where, hint="take it out: zip -d FILE MEMBER")
    header = read_header(partial(archive.beginning, member), member.size, at, where)
    info = header.info(_key(member))
    if member.method == DEFLATED:
        return Placed(info, header.view(0), archive.sequential(member))
    return Placed(info, header.view(member.start))


def _key(member: Member) -> str:
    return member.name.removesuffix(SUFFIX)


def _deflated_sizes(members: Mapping[str, Member]) -> dict[str, int]:
    deflated = (one for one in members.values() if one.method == DEFLATED)
    return {_key(one): one.stored for one in deflated}


def _refuse_bomb(total: int, file: InputFile) -> None:
    limit = file.size * _MOST_EXPANDED + _ALWAYS_ALLOWED
    if total > limit:
        said = f"{total:,} bytes of arrays in {file.size:,} bytes, at most {limit:,} are unpacked"
        hint = f"save it uncompressed: numpy.savez('weights.npz', **numpy.load('{file.path.name}'))"
        raise UnsupportedError(said, where=str(file.path), hint=hint)
