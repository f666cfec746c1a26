"""How tensors are cut for a given amount of memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compress_core.errors import UnsupportedError, UsageError
from compress_core.sizes import human
from compress_core.tensors import TensorInfo

INTERPRETER = 64 * 1024**2
"""Bytes of a process that has loaded everything and read nothing."""

PER_ELEMENT = 64
"""Bytes that an element of a tile takes at the most: float32 and float64 copies, masks, codes,
results.
"""

TILE_ELEMENTS = 1024 * 1024
"""Elements of a tile where memory allows: so many that what Python does for each does not count."""

GRAIN_ELEMENTS = 64 * 1024

LEAST_MEMORY = INTERPRETER + 2 * GRAIN_ELEMENTS * PER_ELEMENT
"""The smallest limit: room for any grain, which exceeds its least size by less than a row, of rows
up to that size.
"""


def refuse_too_little(max_memory: int) -> None:
    """Refuse a limit of memory that nothing could be done in.

    :raises UsageError: it is less than ``LEAST_MEMORY``.
    """
    if max_memory < LEAST_MEMORY:
        raise UsageError(
            f"{human(max_memory)} of memory is too little to run in",
            hint=f"--max-memory '{-(-LEAST_MEMORY // 1024**2)} MiB' or more",
        )


def grain_rows(info: TensorInfo, row_multiple: int) -> int:
    """Rows of one grain of ``info``: a multiple of ``row_multiple``, at least 64 Ki elements."""
    _, columns = info.matrix
    rows = -(-GRAIN_ELEMENTS // max(columns, 1))
    return -(-rows // row_multiple) * row_multiple


@dataclass(frozen=True)
class Tiling:
    """Tiles that ``jobs`` threads can work on within a limit of memory.

    :ivar beside: bytes that are taken by other things than tiles.
    :raises UsageError: the limit is less than the interpreter needs.
    """

    max_memory: int
    jobs: int
    beside: int = 0

    def __post_init__(self) -> None:
        refuse_too_little(self.max_memory)

    @property
    def _room(self) -> int:
        """Elements that may be in work at once."""
        return max(0, self.max_memory - self.beside - INTERPRETER) // PER_ELEMENT

    def threads(self, largest_grain: int) -> int:
        """How many tiles of ``largest_grain`` elements, or of the usual size, can be in work."""
        usual = max(largest_grain, GRAIN_ELEMENTS)
        return max(1, min(self.jobs, self._room // usual))

    def cut(self, info: TensorInfo, grain: int) -> Iterator[tuple[int, int]]:
        """(first row, end row) of the tiles of a tensor: whole grains.

        :raises UnsupportedError: not even one grain fits.
        """
        rows, columns = info.matrix
        step = grain * self._at_once(info, min(grain, rows) * columns)
        for start in range(0, rows, step):
            yield start, min(start + step, rows)

    def spans(self, info: TensorInfo, grain: int) -> Iterator[tuple[int, int]]:
        """(first, end) of spans of a tensor's elements in the order of the file: whole grains.

        :param grain: elements of one grain.
        :raises UnsupportedError: not even one grain fits.
        """
        step = grain * self._at_once(info, min(grain, info.elements))
        for start in range(0, info.elements, step):
            yield start, min(start + step, info.elements)

    def check(self, info: TensorInfo, elements: int) -> None:
        """Whether a grain of ``elements`` elements fits.

        :raises UnsupportedError: it does not.
        """
        if elements > self._room:
            needed = INTERPRETER + self.beside + elements * PER_ELEMENT
            raise UnsupportedError(
                f"its rows of {info.matrix[1]} elements do not fit the memory limit",
                where=info.name,
                hint=f"--max-memory '{-(-needed // 1024**2)} MiB'",
            )

    def _at_once(self, info: TensorInfo, elements: int) -> int:
        """How many grains of ``elements`` elements make a tile."""
        self.check(info, elements)
        limit = min(TILE_ELEMENTS, self._room // self.threads(elements))
        return max(1, limit // max(1, elements))

    def peak(self, largest_grain: int) -> int:
        """Bytes that a run is expected to need."""
        tile = max(largest_grain, min(TILE_ELEMENTS, self._room // self.threads(largest_grain)))
        return INTERPRETER + self.beside + self.threads(largest_grain) * tile * PER_ELEMENT
