"""Which bytes are read for which elements, and how often."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.views import gathering
from compress_core.views.axes import Axis, count
from compress_core.views.gathering import gather, gather_box


class Counted:
    """Bytes in memory that remember how they were read."""

    def __init__(self, elements: int) -> None:
        self.array = np.arange(elements, dtype="<u4")
        self.reads: list[tuple[int, int]] = []

    def read_into(self, buffer: memoryview, start: int) -> None:
        self.reads.append((start // 4, len(buffer) // 4))
        buffer[:] = self.array.view("u1").data[start : start + len(buffer)]


def _box(source: Counted, *axes: Axis) -> list[int]:
    out = np.empty(count(axes), "<u4")
    gather_box(source, 0, axes, 0, out)
    found: list[int] = out.tolist()
    return found


def test_a_run_is_one_read() -> None:
    source = Counted(100)
    assert _box(source, Axis(100, 1)) == list(range(100))
    assert source.reads == [(0, 100)]


def test_short_gaps_are_read_along() -> None:
    source = Counted(100)
    assert _box(source, Axis(3, 40), Axis(2, 1)) == [0, 1, 40, 41, 80, 81]
    assert source.reads == [(0, 82)]


def test_wide_gaps_are_not() -> None:
    source = Counted(9000)
    assert _box(source, Axis(3, 4000), Axis(2, 1)) == [0, 1, 4000, 4001, 8000, 8001]
    assert source.reads == [(0, 2), (4000, 2), (8000, 2)]


def test_a_long_span_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_SPAN", 40)
    source = Counted(100)
    assert _box(source, Axis(20, 3)) == list(range(0, 60, 3))
    assert sum(length for _, length in source.reads) <= 60
    assert max(length for _, length in source.reads) <= 10
    assert _box(source, Axis(1, 7), Axis(20, 3)) == list(range(0, 60, 3))


def test_what_is_permuted_in_itself_is_read_as_a_whole() -> None:
    source = Counted(40)
    axes = (Axis(4, 10), Axis(5, 1), Axis(2, 5))
    out = np.empty(5, "<u4")
    gather(source, 0, axes, 2, 13, out)
    assert out.tolist() == [16, 12, 17, 13, 18]
    assert source.reads == [(10, 10)]


def test_repeated_elements_are_read_once() -> None:
    source = Counted(10)
    assert _box(source, Axis(3, 0), Axis(2, 1)) == [0, 1, 0, 1, 0, 1]
    assert source.reads == [(0, 2)]


def test_nothing_is_read_for_nothing() -> None:
    source = Counted(1)
    gather(source, 0, (Axis(0, 1),), 0, 0, np.empty(0, "<u4"))
    assert source.reads == []
