"""Importance matrices as llama.cpp writes them, put together byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def dat(squares: Arrays, calls: int = 3, tail: bytes | None = None) -> bytes:
    """The old format: mean squares times the number of calls."""
    data = struct.pack("<i", len(squares))
    for name, values in squares.items():
        raw = name.encode()
        data += struct.pack("<i", len(raw)) + raw + struct.pack("<ii", calls, values.size)
        data += (values * calls).astype("<f4").tobytes()
    return data + (struct.pack("<ii", 7, 4) + b"wiki" if tail is None else tail)


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def gguf(
    squares: Arrays,
    counts: Arrays | None = None,
    *,
    kind: str = "imatrix",
    version: int = 3,
    alignment: int | None = None,
    more: Arrays | None = None,
) -> bytes:
    """The new format: sums and counts, by default of 64 inputs."""
    counts = counts or {}
    tensors: dict[str, NDArray[Any]] = {}
    for name, values in squares.items():
        own = counts.get(name, np.array([64.0]))
        rows = values.reshape(len(own), -1) * own[:, None]
        tensors[f"{name}.in_sum2"] = rows
        tensors[f"{name}.counts"] = own.reshape(-1, 1)
    tensors |= more or {}
    keys = [
        key("general.type", 8, text(kind)),
        key("imatrix.datasets", 9, struct.pack("<IQ", 8, 1) + text("wiki.txt")),
        key("imatrix.chunk_count", 4, struct.pack("<I", 7)),
        key("imatrix.sizes", 9, struct.pack("<IQ", 5, 2) + struct.pack("<ii", 1, 2)),
    ]
    if alignment is not None:
        keys.append(key("general.alignment", 4, struct.pack("<I", alignment)))
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys)
    step = alignment or 32
    body = b""
    for name, array in tensors.items():
        body += b"\0" * (-len(body) % step)
        shape = array.shape[::-1]
        head += text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}QIQ", *shape, 0, len(body))
        body += array.astype("<f4").tobytes()
    return head + b"\0" * (-len(head) % step) + body
