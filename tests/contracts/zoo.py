"""Weight files with everything that is odd about weights, written and read without our own code.

Nothing here may import :mod:`compress_core`: it is what the package is compared with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

CODES: dict[str, Any] = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "U32": np.uint32,
    "I8": np.int8,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
FLOATS = ("F64", "F32", "F16", "BF16")
SERVED = (32, 128)
"""A shape that all layouts for servers take, which have groups of columns and words of rows."""
METADATA = {"format": "pt", "by": 'somebody "quoted" — ü'}


@dataclass(frozen=True)
class Contents:
    """A safetensors file.

    :ivar arrays: name → array, in the order of the header.
    :ivar places: name → first byte of its data.
    """

    arrays: Arrays
    codes: Mapping[str, str]
    places: Mapping[str, int]
    metadata: Mapping[str, str]


def code_of(array: NDArray[Any]) -> str:
    """The code of an array's dtype in safetensors."""
    return next(code for code, dtype in CODES.items() if array.dtype == dtype)


def write(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> Path:
    """Write ``arrays`` in the order given, which need not be one that the library would choose."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {
            "dtype": code_of(array),
            "shape": array.shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(array.tobytes() for array in arrays.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def checkpoint(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> Path:
    """A checkpoint folder with one weight file."""
    path.mkdir()
    write(path / "model.safetensors", arrays, metadata)
    (path / "config.json").write_text('{"model_type": "zoo", "hidden_size": 48}', encoding="utf-8")
    return path


def weights(path: Path) -> Path:
    """The weight file of a folder, or the file itself."""
    return next(path.glob("*.safetensors")) if path.is_dir() else path


def read(path: Path) -> Contents:
    """All weights of a file, or of a folder with one weight file."""
    data = weights(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    arrays, codes, places = {}, {}, {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        flat = np.frombuffer(data[start + first : start + end], CODES[entry["dtype"]])
        arrays[name] = flat.reshape(entry["shape"])
        codes[name] = entry["dtype"]
        places[name] = first
    return Contents(arrays, codes, places, metadata)


def digest(path: Path) -> str:
    """What two files or folders have in common if they are the same."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return " ".join(hashlib.sha256(file.read_bytes()).hexdigest() for file in files)


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays are the same to the bit."""
    alike = (one.dtype, one.shape) == (other.dtype, other.shape)
    return alike and one.tobytes() == other.tobytes()


def normal(code: str, shape: tuple[int, ...], scale: float = 0.1, seed: int = 0) -> NDArray[Any]:
    """Normal random numbers in a dtype."""
    values = np.random.default_rng([seed, *shape]).standard_normal(shape) * scale
    return np.asarray(values.astype(CODES[code]))


def shapes() -> Arrays:
    """Odd shapes in every float dtype, and everything that is no matrix of floats."""
    found: Arrays = {
        "scalar": np.array(3, np.float32),
        "ints": np.arange(12, dtype=np.int64).reshape(3, 4),
        "bias": normal("F32", (7,)),
        "no rows": np.zeros((0, 4), np.float32),
        "flags": np.array([[True, False]]),
        "no columns": np.zeros((4, 0), np.float16),
        'z "quoted"\n*[?] é.weight': normal("F32", (5, 6)),
        "served.weight": normal("BF16", SERVED),
    }
    for code in reversed(FLOATS):
        for shape in ((9, 20), (1, 50), (50, 1), (8, 3), (3, 2, 3, 3), (1, 1), (33, 17), (6, 128)):
            found[f"{code}.{'x'.join(map(str, shape))}.weight"] = normal(code, shape)
    return found


def large() -> Arrays:
    """Tensors that are cut into several grains and tiles, also with ties across the cuts."""
    coarse = np.random.default_rng(5).integers(-3, 4, (330, 401)).astype(np.float32)
    return {
        "m.wide.weight": normal("F32", (3, 30_001)),
        "m.bf16.weight": normal("BF16", (700, 512)),
        "a.ties.weight": coarse,
        "m.f16.weight": normal("F16", (300, 257)),
        "m.conv.weight": normal("F64", (40, 90, 5, 5)),
        "z.copied": np.arange(700_000, dtype=np.int32),
    }


def equal() -> Arrays:
    """Zeros of both signs, constants, ties."""
    rng = np.random.default_rng(3)
    ternary = rng.integers(-1, 2, (24, 40)).astype(np.float32)
    return {
        "zeros.weight": np.zeros((16, 24), np.float32),
        "minus.weight": np.full((16, 24), -0.0, np.float16),
        "ones.weight": np.ones((17, 33), CODES["BF16"]),
        "negative.weight": np.full((9, 40), -2.5, np.float32),
        "ternary.weight": ternary,
        "signed zeros.weight": np.where(ternary > 0, ternary, -0.0).astype(np.float32),
        "half.weight": np.where(rng.random((20, 32)) < 0.5, 0, rng.standard_normal((20, 32))),
        "blocks.weight": np.repeat(normal("BF16", (20, 4)), 32, axis=1),
        "one of many.weight": np.eye(16, 48, dtype=np.float16),
        "rows of zeros.weight": np.where(np.arange(20)[:, None] % 3, normal("F32", (20, 16)), 0),
    }


def denormal() -> Arrays:
    """Values at the lower end of each format."""
    small = np.random.default_rng(4).integers(-40, 41, (20, 64))
    return {
        "F32.weight": (small * 1.4e-45).astype(np.float32),
        "F32 mixed.weight": np.where(small > 0, small * 1e-41, small * 1e-3).astype(np.float32),
        "F16.weight": (small * 6e-8).astype(np.float16),
        "BF16.weight": (small * 9.2e-41).astype(CODES["BF16"]),
        "F64.weight": small * 1e-100,
        "normal.weight": normal("F32", (20, 64)),
    }


def huge(share: float = 0.44, shape: tuple[int, int] = (20, 36)) -> Arrays:
    """Values near the upper end of each format, of both signs.

    :param share: of the largest; beyond a half, a difference of two may not fit float32.
    """
    signs = np.random.default_rng(6).choice([-1.0, -0.3, 0.5, 1.0, 1.0], shape) * share
    return {
        "F32.weight": (signs * 3.4e38).astype(np.float32),
        "F16.weight": (signs * 65504).astype(np.float16),
        "BF16.weight": (signs * 3.38e38).astype(CODES["BF16"]),
        "F64.weight": signs * 3.4e38,
        "normal.weight": normal("F32", shape),
    }


def nonfinite(shape: tuple[int, int] = (12, 20)) -> Arrays:
    """NaN and infinities in some tensors, none in others."""
    found = {f"{code}.good.weight": normal(code, shape) for code in FLOATS}
    for code in FLOATS:
        for word, value in (("nan", np.nan), ("inf", np.inf), ("-inf", -np.inf)):
            bad = normal(code, shape)
            bad[7, 3] = value
            found[f"{code}.{word}.weight"] = bad
    found["too large.weight"] = np.full(shape, 1e39)
    found["kept.bias"] = np.array([np.nan, 1], np.float32)
    return found


WORLDS: dict[str, Callable[[], Arrays]] = {
    "shapes": shapes,
    "large": large,
    "equal": equal,
    "denormal": denormal,
    "huge": huge,
}
"""Inputs that every pass and layout must be able to take."""


def norm(array: NDArray[Any]) -> float:
    """Square root of the sum of squares, in float64 and without underflow."""
    wide = np.asarray(array, np.float64)
    largest = float(np.abs(wide).max(initial=0.0))
    return largest * float(np.linalg.norm(wide / largest)) if largest else 0.0
