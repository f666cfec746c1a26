"""What reading a broken file may come to: the tensors, or one error that a person can read."""

from __future__ import annotations

from compress_core.container import Reader
from compress_core.errors import InputError, ModelOptError, UsageError

# bytes that are asked for at once, as passes do: by tiles
_PIECE = 1 << 20


def check_error(error: ModelOptError) -> None:
    """An error of an input: one printable line that says where.

    A ``UsageError`` is one too: of a file with several sets of weights one has to be chosen.
    """
    assert isinstance(error, (InputError, UsageError)), repr(error)
    assert error.where, repr(error)
    for said in (error.message, error.where, error.hint or "-"):
        assert said.isprintable(), repr(said)


def read_all(reader: Reader, at_most: int) -> None:
    """Read tensors one after the other, by rows and as bytes, which must be the same.

    Of a tensor that would make it more than ``at_most`` bytes, only both ends are read; not even
    those, where the reader would have to unpack more than that first.
    """
    left = at_most
    for name, info in reader.infos.items():
        if info.nbytes <= left:
            _read_rows(reader, name)
            left -= info.nbytes
        elif reader.spooled() <= at_most:
            assert len(reader.read_bytes(name, 0, 1)) == 1
            assert len(reader.read_bytes(name, info.nbytes - 1, info.nbytes)) == 1


def _read_rows(reader: Reader, name: str) -> None:
    info = reader.infos[name]
    rows, columns = info.matrix
    width = info.nbytes // rows if rows else 0
    if width > _PIECE:
        _read_bytes(reader, name)
        return
    step = max(_PIECE // max(width, 1), 1)
    for first in range(0, max(rows, 1), step):
        last = min(first + step, rows)
        array = reader.read(name, first, last)
        assert array.shape == (last - first, columns), (name, array.shape)
        assert reader.read_bytes(name, first * width, last * width) == array.tobytes(), name


def _read_bytes(reader: Reader, name: str) -> None:
    nbytes = reader.infos[name].nbytes
    for first in range(0, nbytes, _PIECE):
        last = min(first + _PIECE, nbytes)
        assert len(reader.read_bytes(name, first, last)) == last - first
