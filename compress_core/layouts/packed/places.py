"""Which elements of a packed tensor are kept, and how many before a given row."""

from __future__ import annotations

import threading
from bisect import bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.container import Reader
from compress_core.errors import FormatError
from compress_core.kernels import bits
from compress_core.layouts.packed.arrangement import (
    Arrangement,
    KeptColumns,
    KeptRows,
    Plain,
    Ranked,
)
from compress_core.layouts.packed.ranks import unpacked_ranks
from compress_core.tensors import TensorInfo

# Elements of a mask that are counted at once on the way to a row's place in a stream.
_COUNTED = 1 << 20


class Places:
    """The index part of one tensor, read as far as it is needed. Safe from any thread."""

    def __init__(self, stored: Reader, info: TensorInfo, arrangement: Arrangement) -> None:
        self._stored = stored
        self._info = info
        self._arrangement = arrangement
        self._lock = threading.Lock()
        self._passed = [(0, 0)]  # (row, kept elements before it), rising

    def kept(self, start: int, stop: int) -> NDArray[np.bool_] | None:
        """Which elements of rows ``start:stop`` are kept; ``None`` where all are stored."""
        chosen = self._arrangement
        shape = (stop - start, self._info.matrix[1])
        if isinstance(chosen, Plain):
            return None
        if isinstance(chosen, Ranked):
            return self._ranked(chosen, start, stop)
        if isinstance(chosen, KeptRows):
            return np.broadcast_to(self._row_mask()[start:stop, None], shape)
        if isinstance(chosen, KeptColumns):
            return np.broadcast_to(self._column_mask()[None, :], shape)
        return self._scattered(start, stop)

    def stored_rows(self, start: int, stop: int) -> tuple[int, int]:
        """Where rows ``start:stop`` stand among those that are stored."""
        if not self._arrangement.selects_rows:
            return start, stop
        kept = self._row_mask()
        return int(np.count_nonzero(kept[:start])), int(np.count_nonzero(kept[:stop]))

    def before(self, row: int) -> int:
        """Kept elements before ``row``; counted on from the nearest row that is known.

        :raises FormatError: the whole mask does not keep what the record says.
        """
        with self._lock:
            at, kept = self._passed[bisect_right(self._passed, row, key=_row_of) - 1]
        high = self._arrangement.structure.height if self._in_blocks else 1
        step = high * max(1, _COUNTED // max(1, self._info.matrix[1] * high))
        while at < row:
            end = min(at + step, row)
            kept += int(np.count_nonzero(self._scattered(at, end)))
            at = end
            self._note(at, kept)
        if row == self._info.matrix[0] and kept != self._arrangement.kept:
            raise self._damaged(f"its mask keeps {kept} elements, not {self._arrangement.kept}")
        return kept

    def _note(self, row: int, kept: int) -> None:
        with self._lock:
            place = bisect_right(self._passed, row, key=_row_of)
            if self._passed[place - 1][0] != row:
                self._passed.insert(place, (row, kept))

    @property
    def _in_blocks(self) -> bool:
        return self._arrangement.structure.kind == "block"

    def _ranked(self, chosen: Ranked, start: int, stop: int) -> NDArray[np.bool_]:
        try:
            return unpacked_ranks(self._rows("ranks", start, stop), chosen.runs)
        except FormatError as error:
            raise self._damaged(error.message) from error

    def _scattered(self, start: int, stop: int) -> NDArray[np.bool_]:
        structure, columns = self._arrangement.structure, self._info.matrix[1]
        if not self._in_blocks:
            return bits.unpack_mask(self._rows("mask", start, stop), columns)
        # a record may name blocks far larger than its tensor
        high = min(structure.height, self._info.matrix[0])
        wide = min(structure.width, columns)
        first = start // high
        stored = self._rows("mask", first, -(-stop // high))
        tall = np.repeat(bits.unpack_mask(stored, -(-columns // wide)), high, axis=0)
        rows = tall[start - first * high : stop - first * high]
        return np.repeat(rows, wide, axis=1)[:, :columns]

    def _row_mask(self) -> NDArray[np.bool_]:
        rows, columns = self._info.matrix
        return self._whole_mask(rows, self._arrangement.kept // max(columns, 1))

    def _column_mask(self) -> NDArray[np.bool_]:
        rows, columns = self._info.matrix
        return self._whole_mask(columns, self._arrangement.kept // max(rows, 1))

    def _whole_mask(self, count: int, kept: int) -> NDArray[np.bool_]:
        part = self._stored.infos[f"{self._info.name}.mask"]
        raw = self._stored.read_bytes(part.name, 0, part.nbytes)
        mask = bits.unpack_mask(np.frombuffer(raw, np.uint8), count)
        if int(np.count_nonzero(mask)) != kept:
            raise self._damaged(f"its mask does not keep {kept} of {count}")
        return mask

    def _rows(self, local: str, start: int, stop: int) -> NDArray[Any]:
        return self._stored.read(f"{self._info.name}.{local}", start, stop)

    def _damaged(self, said: str) -> FormatError:
        return FormatError(said, where=self._info.name)


def _row_of(passed: tuple[int, int]) -> int:
    return passed[0]
