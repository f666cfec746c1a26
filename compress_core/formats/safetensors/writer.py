"""Write one safetensors file."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress_core.atomic import PartFile, check_file, refuse_input
from compress_core.container import FilePlan, Reader, Writer
from compress_core.dtypes import DTYPES
from compress_core.formats.safetensors.header import Draft, draft

if TYPE_CHECKING:
    import numpy as np


class SafetensorsWriter(Writer):
    """One file at ``target``: header first, data at their final place, visible after ``commit``.

    A call that breaks the writer's contract (a part that is not planned, rows outside of it, a part
    left unfinished) is a bug of the caller and raises ``RuntimeError``.

    :param source: what the weights come from; its files are never replaced.
    :param replace: whether an existing file may be replaced.
    """

    def __init__(self, target: Path, source: Reader, *, replace: bool) -> None:
        self._target = target
        self._source = source
        self._replace = replace
        self._part_file: PartFile | None = None
        self._lock = threading.Lock()

    def measure(self, files: Sequence[FilePlan]) -> dict[str, int]:
        """Bytes of the file by its name."""
        plan = _only(files)
        return {plan.name or self._target.name: draft(plan).size}

    def check(self) -> None:
        """Refuse a target that is an input, or cannot be replaced."""
        refuse_input(self._target, self._source.path, set(self._source.shards.values()))
        check_file(self._target, replace=self._replace)

    def begin(self, files: Sequence[FilePlan]) -> None:
        """Check the target, open the part file at its full size and write the header."""
        self.check()
        self._plan = _only(files)
        self._draft = draft(self._plan)
        self._missing = {name: part.nbytes for name, part in self._plan.parts.items()}
        self._tails = {
            name: _Tail() for name, part in self._plan.parts.items() if part.placed == "stream"
        }
        self._part_file = PartFile(self._target, replace=self._replace)
        try:
            self._part_file.reserve(self._draft.size, temporary=self._source.spooled())
            self._part_file.pwrite(self._draft.text, 0)
        except BaseException:
            self.abort()
            raise

    def write(self, part: str, first_row: int, data: np.ndarray[Any, Any]) -> None:
        """Write rows; ``first_row`` counts in rows of ``data``."""
        spec = self._plan.parts[part]
        width = max(1, DTYPES[spec.dtype].bits // 8)
        if data.dtype.itemsize != width:
            raise RuntimeError(f"{part}: {data.dtype} for a part of {spec.dtype}")
        if first_row and DTYPES[spec.dtype].bits < 8:
            raise RuntimeError(f"{part}: rows of {spec.dtype} do not end at a byte")
        row_bytes = data.nbytes // len(data) if data.ndim and len(data) else 0
        self._put(part, first_row * row_bytes, _little_endian(data))

    def write_columns(self, part: str, first_column: int, data: np.ndarray[Any, Any]) -> None:
        """Write columns of a matrix, each row of them at its place."""
        spec = self._plan.parts[part]
        rows, columns = spec.shape
        item = DTYPES[spec.dtype].bits // 8
        if data.dtype.itemsize != item or len(data) != rows:
            raise RuntimeError(f"{part}: {data.dtype} {data.shape} for columns of {spec}")
        run = data.shape[1] * item
        if not 0 <= first_column <= first_column + data.shape[1] <= columns:
            raise RuntimeError(f"{part}: columns from {first_column} on of {columns}")
        everything = _little_endian(data)
        file, start = self._opened(), self._draft.starts[part] + first_column * item
        for row in range(rows):
            file.pwrite(everything[row * run : (row + 1) * run], start + row * columns * item)
        with self._lock:
            self._missing[part] -= len(everything)

    def write_bytes(self, part: str, offset: int, data: bytes) -> None:
        """Write raw bytes at a byte offset of the part."""
        self._put(part, offset, memoryview(data))

    def append(self, part: str, data: np.ndarray[Any, Any], nbits: int) -> None:
        """Append the first ``nbits`` bits of ``data`` (bytes, least significant bit first)."""
        tail = self._tails[part]
        offset = tail.written
        self._put(part, offset, tail.append(data, nbits).data)

    def commit(self, metadata: Mapping[str | None, Mapping[str, str]]) -> None:
        """Finish streams, check that nothing is missing, put the final metadata in, publish."""
        for name, tail in self._tails.items():
            self._put(name, tail.written, memoryview(tail.finish()))
        unfinished = [name for name, count in self._missing.items() if count]
        if unfinished:
            raise RuntimeError(f"{unfinished[0]}: {self._missing[unfinished[0]]} bytes not written")
        final = _with_metadata(self._plan, self._draft, metadata.get(self._plan.name, {}))
        self._opened().pwrite(final.text, 0)
        self._opened().commit()

    def abort(self) -> None:
        """Remove the part file, if there is one."""
        if self._part_file is not None:
            self._part_file.abort()

    def _put(self, part: str, offset: int, data: memoryview) -> None:
        size = self._plan.parts[part].nbytes
        if not 0 <= offset <= offset + len(data) <= size:
            raise RuntimeError(f"{part}: bytes {offset}:{offset + len(data)} of {size}")
        self._opened().pwrite(data, self._draft.starts[part] + offset)
        with self._lock:
            self._missing[part] -= len(data)

    def _opened(self) -> PartFile:
        if self._part_file is None:
            raise RuntimeError("written to before begin()")
        return self._part_file


class _Tail:
    """The end of a bit stream: what does not fill a byte yet waits for the next bits.

    :ivar written: whole bytes handed out so far.
    """

    def __init__(self) -> None:
        self.written = 0
        self._rest = 0
        self._nrest = 0

    def append(self, data: np.ndarray[Any, Any], nbits: int) -> np.ndarray[Any, Any]:
        """Take ``nbits`` bits; the whole bytes that can be written now."""
        import numpy as np

        taken = (nbits + 7) // 8
        if data.dtype != np.uint8 or data.size < taken:
            raise RuntimeError(f"{data.size} × {data.dtype} hold no {nbits} bits")
        joined = np.zeros(taken + 1, np.uint8)
        joined[:taken] = data.reshape(-1)[:taken]
        if nbits % 8:
            joined[taken - 1] &= (1 << nbits % 8) - 1
        if self._nrest:
            carried = joined[:taken] >> np.uint8(8 - self._nrest)
            joined <<= np.uint8(self._nrest)
            joined[1:] |= carried
            joined[0] |= self._rest
        whole, self._nrest = divmod(self._nrest + nbits, 8)
        self._rest = int(joined[whole]) if self._nrest else 0
        self.written += whole
        return joined[:whole]

    def finish(self) -> bytes:
        """The last byte, filled up with zero bits; nothing when the stream ended with a byte."""
        return bytes([self._rest]) if self._nrest else b""


def _only(files: Sequence[FilePlan]) -> FilePlan:
    if len(files) != 1:
        raise RuntimeError(f"{len(files)} plans for one file")
    return files[0]


def _little_endian(data: np.ndarray[Any, Any]) -> memoryview:
    import numpy as np

    # C order by force: raw memory of a transposed array would be other values
    data = np.ascontiguousarray(data)
    order = data.dtype.byteorder
    if order == ">" or (order == "=" and sys.byteorder == "big"):
        data = data.byteswap()
    return data.reshape(-1).view(np.uint8).data


def _with_metadata(plan: FilePlan, reserved: Draft, values: Mapping[str, str]) -> Draft:
    """The same file with other values in its metadata; nothing may move."""
    for key, value in values.items():
        if len(value.encode()) != len(plan.metadata[key].encode()):
            raise RuntimeError(f"metadata {key}: the new value has another length")
    final = draft(changed(plan, metadata={**plan.metadata, **values}))
    if final.size != reserved.size:
        raise RuntimeError("the new metadata would move the data")
    return final
