"""What the libraries of a format say of a file that was accepted: the same bytes, or it is a find.

Only the two that this project depends on anyway; PyTorch is compared with in ``tests/oracles``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from compress_core.container import Reader

_LARGEST = 8 << 20


def compare(path: Path, reader: Reader) -> None:
    """Compare all tensors of a small file that is not PyTorch."""
    if path.is_dir() or reader.size() > _LARGEST:
        return
    content = path.read_bytes()
    if content.startswith((b"\x93NUMPY", b"PK")):
        if "format" not in reader.metadata[""]:  # which only files of PyTorch get
            _compare_arrays(path, reader)
    elif content[8:9] == b"{":
        _compare_tensors(content, reader)


def _compare_arrays(path: Path, reader: Reader) -> None:
    if sum(info.nbytes for info in reader.infos.values()) > _LARGEST:
        return
    loaded: Any = np.load(path, allow_pickle=False)
    arrays = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else {path.stem: loaded}
    assert list(arrays) == list(reader.infos), (list(arrays), list(reader.infos))
    for name, array in arrays.items():
        little = array.astype(array.dtype.newbyteorder("<"))
        assert array.shape == reader.infos[name].shape
        _same(reader, name, np.ascontiguousarray(little).tobytes())


def _compare_tensors(content: bytes, reader: Reader) -> None:
    deserialize: Any = safetensors.deserialize
    found = dict(deserialize(content))
    assert found.keys() == reader.infos.keys()
    for name, tensor in found.items():
        info = reader.infos[name]
        assert tensor["dtype"] == info.dtype.code
        assert tuple(tensor["shape"]) == info.shape
        _same(reader, name, bytes(tensor["data"]))


def _same(reader: Reader, name: str, data: bytes) -> None:
    assert reader.read_bytes(name, 0, reader.infos[name].nbytes) == data, name
