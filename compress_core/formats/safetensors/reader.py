"""Read one safetensors file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress_core.container import Reader
from compress_core.errors import UnsupportedError
from compress_core.formats.safetensors.header import PREFIX, Header, confirm, header_length, parse
from compress_core.inputs import InputFile
from compress_core.strict_json import shown

if TYPE_CHECKING:
    import numpy as np


class SafetensorsReader(Reader):
    """The tensors of one file, in the order of its header.

    Data are read with ``pread`` into fresh arrays, so a file that is cut meanwhile is an error.

    :raises InputError: unreadable, corrupt, hostile or not supported.
    """

    def __init__(self, path: Path) -> None:
        self._file = InputFile(path)
        try:
            header = _read_header(self._file)
        except BaseException:
            self._file.close()
            raise
        self.path = path
        self.infos = header.infos
        self.metadata = {"": header.metadata}
        self.config = None
        self.shards = dict.fromkeys(header.infos, "")
        self.notes: list[str] = []
        self._starts = header.starts

    def read(self, name: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Rows ``start:stop`` of the matrix view; see :class:`Reader`.

        :raises UnsupportedError: elements narrower than a byte, or a shape that NumPy cannot hold.
        """
        import numpy as np

        info = self.infos[name]
        rows, columns = info.matrix
        if not 0 <= start <= stop <= rows:
            raise IndexError(f"rows {start}:{stop} of {rows}")
        if info.dtype.storage is None:
            raise self._unsupported(name, f"{info.dtype} is narrower than a byte")
        try:
            array = np.empty((stop - start, columns), info.dtype.storage)
        except ValueError as error:  # only a shape with a 0 in it gets here
            raise self._unsupported(name, f"shape {list(info.shape)} is too large") from error
        row_bytes = info.nbytes // rows if rows else 0
        into = array.reshape(-1).view(np.uint8).data
        self._file.read_into(into, self._starts[name] + start * row_bytes)
        return array

    def read_bytes(self, name: str, start: int, stop: int) -> bytes:
        """Bytes ``start:stop`` of a tensor's data; see :class:`Reader`."""
        if not 0 <= start <= stop <= self.infos[name].nbytes:
            raise IndexError(f"bytes {start}:{stop} of {self.infos[name].nbytes}")
        first = self._starts[name]
        return self._file.read(first + start, first + stop)

    def size(self) -> int:
        """Bytes of the file."""
        return self._file.size

    def close(self) -> None:
        """Give the file handle back."""
        self._file.close()

    def _unsupported(self, name: str, why: str) -> UnsupportedError:
        said = f"tensor {shown(name)} cannot be decoded: {why}"
        return UnsupportedError(said, where=str(self.path))


def _read_header(file: InputFile) -> Header:
    where = str(file.path)
    prefix = file.read(0, min(PREFIX, file.size))
    length = header_length(prefix, file.size, where)
    text = file.read(0, PREFIX + length)
    header = parse(text[PREFIX:], file.size - len(text), where)
    confirm(text, where)
    return header
