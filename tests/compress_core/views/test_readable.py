"""Elements from any one to any other."""

from __future__ import annotations

import numpy as np

from compress_core.views.axes import Axis
from compress_core.views.readable import Readable


class Memory:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read_into(self, buffer: memoryview, start: int) -> None:
        buffer[:] = self._data[start : start + len(buffer)]


def test_from_any_to_any() -> None:
    tensor = Readable(Memory(bytes(range(20))), 2, (Axis(3, 4), Axis(2, 1)), 0, swapped=False)
    out = np.empty(4, "u1")
    tensor.read_into(out, 1)
    assert out.tolist() == [3, 6, 7, 10]


def test_big_endian_elements() -> None:
    tensor = Readable(Memory(bytes(range(20))), 1, (Axis(4, 1),), 0, swapped=True)
    out = np.empty(2, "<u2")
    tensor.read_into(out, 1)
    assert out.tolist() == [0x0304, 0x0506]
