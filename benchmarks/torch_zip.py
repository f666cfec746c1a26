"""Write a large PyTorch file of the kind that ``torch.save`` makes, without torch.

    python benchmarks/torch_zip.py pytorch_model.bin --gib 4

It holds bfloat16 matrices of at most 512 MiB with 4096 columns; the last one is a transposed view,
as that of a layer that was written ``x @ W``. Values are normal random numbers from a fixed seed.
One tile is held at a time.
"""

from __future__ import annotations

import argparse
import os
import struct
import zipfile
from pathlib import Path

GIB = 1024**3
COLUMNS = 4096
ROW_BYTES = 2 * COLUMNS
LARGEST = GIB // 2
TILE = 2**22


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--gib", type=float, default=4)
    given = parser.parse_args()
    write_weights(given.path, int(given.gib * GIB))


def write_weights(path: Path, size: int) -> None:
    """Write a file of about ``size`` bytes."""
    rows = min(size // 4, LARGEST) // ROW_BYTES
    count = size // (rows * ROW_BYTES)
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("archive/data.pkl", pickled(count, rows))
            archive.writestr("archive/byteorder", "little")
            for key in range(count):
                write_storage(archive, key, rows * COLUMNS)
            archive.writestr("archive/version", "3\n")
        file.flush()
        os.fsync(file.fileno())  # or the disk would still be busy with it during the first run


def write_storage(archive: zipfile.ZipFile, key: int, elements: int) -> None:
    import ml_dtypes
    import numpy as np

    random = np.random.default_rng(key)
    with archive.open(f"archive/data/{key}", "w", force_zip64=True) as member:
        for first in range(0, elements, TILE):
            tile = random.standard_normal(min(TILE, elements - first), dtype=np.float32)
            member.write((tile * np.float32(0.02)).astype(ml_dtypes.bfloat16).tobytes())


def pickled(count: int, rows: int) -> bytes:
    """A state dict of ``count`` matrices; the opcodes are those of pickle protocol 2."""
    entries = b"".join(
        text(f"model.layers.{key}.mlp.up_proj.weight") + matrix(key, rows, key == count - 1)
        for key in range(count)
    )
    return b"\x80\x02}(" + entries + b"u."


def matrix(key: int, rows: int, is_transposed: bool) -> bytes:
    strides = (1, rows) if is_transposed else (COLUMNS, 1)
    storage = text("storage") + b"ctorch\nBFloat16Storage\n" + text(str(key)) + text("cpu")
    arguments = (
        b"(" + storage + integer(rows * COLUMNS) + b"tQ",
        integer(0),
        integer(rows) + integer(COLUMNS) + b"\x86",
        integer(strides[0]) + integer(strides[1]) + b"\x86",
        b"\x89",
        b"ccollections\nOrderedDict\n)R",
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + b"".join(arguments) + b"tR"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


if __name__ == "__main__":
    main()
