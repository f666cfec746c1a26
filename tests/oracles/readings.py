"""Tensors as plain facts, so that those of several readers can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compress_core import open_weights

Reading = dict[str, tuple[str, list[int], str]]
"""Name → dtype, shape, and a digest of the elements in C order, little-endian."""

CODES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}
"""Each dtype that PyTorch and safetensors both have → its name in safetensors."""


def ours(path: Path, key: str | None = None) -> Reading:
    """What this project reads."""
    with open_weights(path, key) as reader:
        return {
            name: (
                info.dtype.code,
                list(info.shape),
                digest(reader.read(name, 0, info.matrix[0]).tobytes()),
            )
            for name, info in reader.infos.items()
        }


def of_torch(tensors: Mapping[str, Any]) -> Reading:
    """What PyTorch has in memory."""
    return {
        name: (
            CODES[str(tensor.dtype).removeprefix("torch.")],
            list(tensor.shape),
            digest(_bytes(tensor)),
        )
        for name, tensor in tensors.items()
    }


def converted(path: Path) -> Reading:
    """What PyTorch users get from safetensors of ours: a file, or all those of a folder."""
    from safetensors.torch import load_file

    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    found: Reading = {}
    for file in files:
        found |= of_torch(load_file(file))
    return found


def flattened(value: Any, name: str = "") -> dict[str, Any]:
    """The tensors of nested dicts and lists, by names with dots."""
    import torch

    if isinstance(value, torch.Tensor):
        return {name or "tensor": value}
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, (list, tuple)):
        entries = dict(enumerate(value)).items()
    else:
        return {}
    found: dict[str, Any] = {}
    for key, inner in entries:
        found |= flattened(inner, f"{name}.{key}" if name else str(key))
    return found


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _bytes(tensor: Any) -> bytes:
    import torch

    flat = tensor.detach().contiguous().reshape(-1)
    data: bytes = flat.view(torch.uint8).numpy().tobytes()
    return data
