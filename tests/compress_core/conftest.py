"""Weight files with any dtype that a header can name, written without our own code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

Raw = Mapping[str, tuple[str, NDArray[Any]]]
Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write tensors, each given as its code and the array whose bytes it gets.

    ``shapes`` says the shapes of those that are not the array's own.
    """

    def write(
        file: str,
        tensors: Raw,
        *,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Path:
        header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
        end = 0
        for name, (code, array) in tensors.items():
            start, end = end, end + array.nbytes
            shape = (shapes or {}).get(name, array.shape)
            header[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        path = tmp_path / file
        data = b"".join(array.tobytes() for _, array in tensors.values())
        path.write_bytes(len(text).to_bytes(8, "little") + text + data)
        return path

    return write
