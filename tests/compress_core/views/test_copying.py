"""Copies in blocks: right, linear in time, bounded in memory."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from compress_core.views import copying
from compress_core.views.axes import merged
from compress_core.views.copying import block_sizes, copy_view
from compress_core.views.spool import Region, Spool
from compress_core.views.view import View


class Counted:
    """A pattern that takes no memory; counts what is read."""

    def __init__(self) -> None:
        self.calls = self.bytes = 0

    def read_into(self, buffer: memoryview, start: int) -> None:
        self.calls += 1
        self.bytes += len(buffer)
        view = np.frombuffer(buffer, "<u4")
        view[:] = np.arange(start // 4, start // 4 + view.size, dtype="<u4")


class Written(Region):
    """Takes everything and counts it."""

    def __init__(self) -> None:
        super().__init__(Spool("x"), 0, 0, lambda _: None)
        self.calls = self.bytes = 0

    def write(self, data: memoryview, start: int) -> None:
        self.calls += 1
        self.bytes += len(data)


def _transposed(rows: int, columns: int) -> View:
    return View((rows, columns), (1, rows), 0)


@pytest.mark.parametrize("sizes", [(4096, 11008), (1_000_000, 64), (64, 1_000_000)])
def test_a_transposed_matrix_is_cut_into_long_runs(sizes: tuple[int, int]) -> None:
    most = 2 << 20
    rows, columns = block_sizes(sizes, (1, 0), most)
    assert most // 4 < rows * columns <= most
    blocks = math.ceil(sizes[0] / rows) * math.ceil(sizes[1] / columns)
    writes = 1 if columns == sizes[1] else rows
    reads = 1 if rows == sizes[0] else columns
    assert blocks * (writes + reads) <= 4 * math.prod(sizes) / math.sqrt(most)


def test_one_order_needs_no_cut_across() -> None:
    assert block_sizes((1024, 64, 3), (0, 1, 2), 192 * 100) == (64, 64, 3)


def test_a_block_of_one_element() -> None:
    assert block_sizes((5, 3), (1, 0), 1) == (1, 1)


@pytest.mark.parametrize("stride", [1, 3])
def test_every_byte_is_read_and_written_once(monkeypatch: pytest.MonkeyPatch, stride: int) -> None:
    source, written = Counted(), Written()
    rows, columns = 15000, 1100
    axes = merged(View((rows, columns), (stride, stride * rows), 0))
    monkeypatch.setattr(copying, "_BLOCK", 64 << 10)
    copy_view(source, 0, axes, 4, written)
    elements = rows * columns
    assert source.calls + written.calls <= 4 * elements / math.sqrt(16 << 10)
    assert written.bytes == elements * 4
    assert source.bytes <= stride * elements * 4


def test_memory_is_a_few_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_BLOCK", 1 << 20)
    rows, columns = 4000, 2500
    spool = Spool("x")
    axes = merged(_transposed(rows, columns))
    region = spool.reserve(rows * columns * 4, lambda _: None)
    tracemalloc.start()
    try:
        copy_view(Counted(), 0, axes, 4, region)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20
    assert _head(region, columns) == list(range(0, rows * columns, rows))
    spool.close()


def _head(region: Region, elements: int) -> list[int]:
    head = np.empty(elements, "<u4")
    region.read_into(head.view("u1").data, 0)
    found: list[int] = head.tolist()
    return found
