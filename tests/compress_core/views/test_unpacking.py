"""Sources that only come in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compress_core.errors import FormatError
from compress_core.views.source import Sequential
from compress_core.views.spool import Spool
from compress_core.views.unpacking import unpack


class Chunks(Sequential):
    def __init__(self, size: int, *chunks: bytes) -> None:
        self.size = size
        self._chunks = chunks

    def chunks(self) -> Iterator[bytes]:
        yield from self._chunks


def _unpacked(source: Sequential) -> bytes:
    spool = Spool("x")
    region = spool.reserve(source.size, lambda region: unpack(source, "model.npz", region))
    data = bytearray(source.size)
    try:
        region.read_into(memoryview(data), 0)
    finally:
        spool.close()
    return bytes(data)


def test_in_order() -> None:
    assert _unpacked(Chunks(5, b"ab", b"", b"cde")) == b"abcde"


@pytest.mark.parametrize(
    ("chunks", "said"),
    [((b"abc", b"def"), "more than 5"), ((b"ab", b"cd"), "4 bytes, not 5"), ((), "0 bytes, not 5")],
)
def test_a_wrong_size(chunks: tuple[bytes, ...], said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        _unpacked(Chunks(5, *chunks))
    assert caught.value.where == "model.npz"
