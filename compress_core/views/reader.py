"""A reader of tensors that are views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress_core.container import Reader
from compress_core.errors import UnsupportedError
from compress_core.inputs import InputFile
from compress_core.strict_json import shown
from compress_core.tensors import TensorInfo
from compress_core.views.placing import Places
from compress_core.views.source import Sequential, Source
from compress_core.views.spool import Spool
from compress_core.views.view import View

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Placed:
    """One tensor and where its elements are.

    :ivar source: ``None``: the file of the reader itself.
    """

    info: TensorInfo
    view: View
    source: Source | Sequential | None = None


class ViewReader(Reader):
    """The tensors of one file, in any order of elements.

    Bytes are those of dense tensors in C order and little-endian, whatever the file has.

    :param file: open; closed with the reader.
    :param tensors: in the order of the container; elements are of a byte or more. Several may have
        one source.
    :param metadata: strings to be carried along.
    :param aliases: tensor → the tensor, earlier in order, that it shares all its elements with.
    :param besides: bytes of the file that belong to something else.
    """

    def __init__(
        self,
        path: Path,
        file: InputFile,
        tensors: Sequence[Placed],
        *,
        metadata: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
        aliases: Mapping[str, str] | None = None,
        besides: int = 0,
    ) -> None:
        self.path = path
        self.infos = {placed.info.name: placed.info for placed in tensors}
        self.metadata = {"": dict(metadata or {})}
        self.config = None
        self.shards = dict.fromkeys(self.infos, "")
        self.notes = list(notes)
        self.aliases = dict(aliases or {})
        self._file = file
        self._besides = besides
        self._spool = Spool(str(path))
        places = Places(self._spool, str(path))
        self._tensors = {
            placed.info.name: places.find(placed.info, placed.view, placed.source or file)
            for placed in tensors
        }

    def read(self, name: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Rows ``start:stop`` of the matrix view; see :class:`Reader`.

        :raises UnsupportedError: a shape that NumPy cannot hold.
        :raises OutputError: the folder of temporary files has no room for the tensor.
        """
        rows, columns = self.infos[name].matrix
        if not 0 <= start <= stop <= rows:
            raise IndexError(f"rows {start}:{stop} of {rows}")
        array = self._empty(name, (stop - start, columns))
        self._tensors[name].read_into(array.reshape(-1), start * columns)
        return array

    def read_bytes(self, name: str, start: int, stop: int) -> bytes:
        """Bytes ``start:stop`` of a tensor, as if it were dense, in C order and little-endian.

        :raises OutputError: the folder of temporary files has no room for the tensor.
        """
        info = self.infos[name]
        if not 0 <= start <= stop <= info.nbytes:
            raise IndexError(f"bytes {start}:{stop} of {info.nbytes}")
        item = info.dtype.bits // 8
        first, last = start // item, -(-stop // item)
        array = self._empty(name, (last - first,))
        self._tensors[name].read_into(array, first)
        data = array.view("u1").data
        return bytes(data[start - first * item : stop - first * item])

    def size(self) -> int:
        """Bytes of the file, less what belongs to something else."""
        return self._file.size - self._besides

    def spooled(self) -> int:
        """Bytes of what cannot be read at random where it stands and was not copied yet."""
        return self._spool.missing

    def stored_bytes(self, name: str) -> int:
        """Bytes that a tensor takes as if it were dense; none for another name of one."""
        return 0 if name in self.aliases else self.infos[name].nbytes

    def close(self) -> None:
        """Give back the file handle and the temporary file."""
        self._file.close()
        self._spool.close()

    def _empty(self, name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        import numpy as np

        info = self.infos[name]
        try:
            return np.empty(shape, info.dtype.storage)
        except ValueError as error:  # only a shape with a 0 in it gets here
            said = f"tensor {shown(name)} cannot be decoded: shape {list(info.shape)} is too large"
            raise UnsupportedError(said, where=str(self.path)) from error
