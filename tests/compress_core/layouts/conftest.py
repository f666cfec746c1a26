"""A container in memory, with the strictness of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.container import Once, PartSpec, Reader, Rows, Stream
from compress_core.dtypes import DTYPES
from compress_core.layouts.base import Layout
from compress_core.tensors import Form, TensorInfo
from compress_core.tiles import Tile

Parts = dict[str, tuple[str, NDArray[Any]]]


class Memory(Reader):
    """Parts in memory: name → (dtype, array of the stored shape)."""

    def __init__(self, parts: Parts, strings: Mapping[str, str]) -> None:
        self.path = Path("memory.safetensors")
        self.config = None
        self.notes: list[str] = []
        self.metadata = {"": dict(strings)}
        self.infos = {
            name: TensorInfo(name, DTYPES[code], array.shape, array.nbytes)
            for name, (code, array) in parts.items()
        }
        self.shards = dict.fromkeys(parts, "")
        self._parts = parts

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        rows, columns = self.infos[name].matrix
        if not 0 <= start <= stop <= rows:
            raise IndexError(f"rows {start}:{stop} of {rows}")
        return self._parts[name][1].reshape(rows, columns)[start:stop].copy()

    def read_bytes(self, name: str, start: int, stop: int) -> bytes:
        data = self._parts[name][1].tobytes()
        if not 0 <= start <= stop <= len(data):
            raise IndexError(f"bytes {start}:{stop} of {len(data)}")
        return data[start:stop]

    def size(self) -> int:
        return sum(array.nbytes for _, array in self._parts.values())


def bits_of(stream: Stream) -> NDArray[np.uint8]:
    """The bits that a piece adds."""
    return np.unpackbits(stream.data, count=stream.nbits, bitorder="little")


def assembled(
    specs: Mapping[str, PartSpec], pieces: Sequence[Mapping[str, Any]]
) -> dict[str, NDArray[Any]]:
    """What a writer makes of the pieces of all tiles: everything is written, and once."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, spec in specs.items():
        array = np.zeros(spec.shape, DTYPES[spec.dtype].storage)
        own = [piece[name] for piece in pieces if name in piece]
        if spec.placed == "stream":
            assert all(isinstance(piece, Stream) for piece in own)
            stream = np.packbits(
                np.concatenate([bits_of(piece) for piece in own] or [np.zeros(0, np.uint8)]),
                bitorder="little",
            )
            array = stream.view(array.dtype).reshape(spec.shape)
        elif spec.placed == "once":
            (once,) = own
            assert isinstance(once, Once)
            array[...] = once.array.reshape(spec.shape)
        else:
            rows = array.reshape(spec.shape[0] if len(spec.shape) > 1 else 1, -1)
            seen = np.zeros(len(rows), np.int64)
            for piece in own:
                assert isinstance(piece, Rows)
                assert piece.array.dtype.itemsize == array.dtype.itemsize
                here = slice(piece.first, piece.first + len(piece.array))
                rows[here] = piece.array
                seen[here] += 1
            assert (seen == 1).all()
        arrays[name] = array
    assert {name for piece in pieces for name in piece} <= specs.keys()
    return arrays


@pytest.fixture(scope="session")
def store() -> Callable[..., Parts]:
    """``store(layout, tiles, form)``: the parts of one tensor as they stand in a file."""

    def run(layout: Layout, tiles: Sequence[Tile], form: Form) -> Parts:
        specs = layout.parts(tiles[0].info, form)
        arrays = assembled(specs, [layout.encode(tile, form) for tile in tiles])
        return {name: (specs[name].dtype, array) for name, array in arrays.items()}

    return run


@pytest.fixture(scope="session")
def memory() -> Callable[[Parts, Mapping[str, str]], Reader]:
    """``memory(parts, metadata)``: a reader of them."""
    return Memory
