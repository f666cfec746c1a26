"""A second reader of the layout ``packed``, written from ``docs/packed.md`` alone.

It imports nothing of the tool. It is slow on purpose: one number at a time, with Python's integers
and NumPy's scalars, so that it can be compared with the page line by line.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

Arrays = dict[str, np.ndarray[Any, Any]]

DTYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "I16": np.int16,
    "I32": np.int32,
    "I64": np.int64,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F32": np.float32,
    "F64": np.float64,
}

# the largest finite numbers; for F64 those of the float32 that are widened to it
F32_MAX = np.float32(2**128 - 2**104)
LARGEST = {
    "F16": np.float32(2**16 - 2**5),
    "BF16": np.float32(2**128 - 2**120),
    "F32": F32_MAX,
    "F64": F32_MAX,
}

E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
NF4 = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)

Parts = dict[str, tuple[str, tuple[int, ...]]]
"""Local name of a part → its dtype and shape."""


@dataclass
class Stored:
    """One safetensors file: its metadata and parts."""

    metadata: dict[str, str]
    parts: Arrays


def read(path: Path) -> Arrays:
    """The tensors of a packed file or folder; those of a file that is not packed as they are."""
    tensors: Arrays = {}
    for file in files_of(path):
        tensors |= tensors_of(open_file(file))
    return tensors


def read_errors(path: Path) -> dict[str, list[float]]:
    """Name → ``[Σ(W−Ŵ)², ΣW², max|W−Ŵ|, zeros]`` as the files of ``path`` record them."""
    found: dict[str, list[float]] = {}
    for file in files_of(path):
        metadata = open_file(file).metadata
        if "modelopt.packed" in metadata:
            names = list(json.loads(metadata["modelopt.packed"])["tensors"])
            rows = json.loads(metadata["modelopt.errors"])
            if len(names) != len(rows):
                raise ValueError("not one row of errors for each tensor")
            found |= dict(zip(names, rows, strict=True))
    return found


def files_of(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for stem in ("model.packed", "model"):
        index = path / f"{stem}.safetensors.index.json"
        if index.exists():
            weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            return [path / name for name in sorted(set(weight_map.values()))]
        if (path / f"{stem}.safetensors").exists():
            return [path / f"{stem}.safetensors"]
    raise ValueError(f"no weights in {path}")


def open_file(path: Path) -> Stored:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length].decode("utf-8"))
    metadata = header.pop("__metadata__", {})
    data = data[8 + length :]
    parts: Arrays = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = np.frombuffer(data[begin:end], np.dtype(DTYPES[entry["dtype"]]))
        parts[name] = flat.reshape(entry["shape"])
    return Stored(metadata, parts)


def tensors_of(stored: Stored) -> Arrays:
    if "modelopt.packed" not in stored.metadata:
        return stored.parts
    record = json.loads(stored.metadata["modelopt.packed"])
    if record["version"] != 1:
        raise ValueError("another version of the layout")
    tensors: Arrays = {}
    parts_of_others: set[str] = set()
    for name, (form, kept) in record["tensors"].items():
        tensor = Tensor(name, record["forms"][form], kept, stored.parts)
        tensors[name] = tensor.decoded()
        parts_of_others |= {tensor.full(local) for local in tensor.expected}
    for name, part in stored.parts.items():
        if name not in parts_of_others:
            tensors[name] = part
    return tensors | {name: tensors[own] for name, own in record.get("aliases", {}).items()}


class Tensor:
    """One compressed tensor."""

    def __init__(self, name: str, form: dict[str, Any], kept: int, parts: Arrays) -> None:
        self.name = name
        self.dtype = form["dtype"]
        self.shape = tuple(form["shape"])
        self.scheme = form["scheme"]
        self.sparsity = form["sparsity"]
        self.kept = kept
        self.parts = parts
        if len(self.shape) < 2:
            self.rows, self.columns = 1, math.prod(self.shape)
        elif len(self.shape) == 3 and "experts" in name.split("."):
            self.rows, self.columns = self.shape[0] * self.shape[1], self.shape[2]
        else:
            self.rows, self.columns = self.shape[0], math.prod(self.shape[1:])
        self.arrangement, self.expected = self.find_arrangement()

    # where the parts are

    def full(self, local: str) -> str:
        return f"{self.name}.{local}" if local else self.name

    def part(self, local: str) -> np.ndarray[Any, Any]:
        return self.parts[self.full(local)]

    def find_arrangement(self) -> tuple[str, Parts]:
        for name in self.possible():
            expected = self.parts_of(name)
            if all(self.is_there(local, *spec) for local, spec in expected.items()):
                return name, expected
        raise ValueError(f"the parts of {self.name} are not all there")

    def is_there(self, local: str, dtype: str, shape: tuple[int, ...]) -> bool:
        part = self.parts.get(self.full(local))
        return part is not None and part.dtype == DTYPES[dtype] and part.shape == shape

    def possible(self) -> list[str]:
        if self.sparsity is None:
            return ["plain"]
        names = []
        if self.scheme is None or (
            self.scheme["scheme"] not in ("binary", "affine")
            and self.scheme.get("center") != "mean"
        ):
            names.append("plain")
        if self.sparsity in ("row", "column"):
            names.append(f"mask of {self.sparsity}s")
        elif "x" in self.sparsity:
            names.append("mask of blocks")
        else:
            names.append("mask of elements")
        if "of" in self.sparsity and self.sides("of")[1] <= 16:
            names.append("ranks")
        return names

    def sides(self, between: str) -> tuple[int, int]:
        first, second = self.sparsity.split(between)
        return int(first), int(second)

    def parts_of(self, arrangement: str) -> Parts:
        rows, columns, kept = self.rows, self.columns, self.kept
        index: dict[str, tuple[int, ...]] = {}
        stream = False
        stored_rows, stored_columns = rows, columns
        if arrangement == "mask of elements":
            stream, index["mask"] = True, (rows, upwards(columns, 8))
        elif arrangement == "mask of blocks":
            high, wide = self.sides("x")
            stream = True
            index["mask"] = (upwards(rows, high), upwards(upwards(columns, wide), 8))
        elif arrangement == "mask of rows":
            stored_rows, index["mask"] = kept // columns, (upwards(rows, 8),)
        elif arrangement == "mask of columns":
            stored_columns, index["mask"] = kept // rows, (upwards(columns, 8),)
        elif arrangement == "ranks":
            pieces = self.pieces()
            stored_columns = sum(count for _, count in pieces)
            index["ranks"] = (rows, upwards(sum(rank_bits(*piece) for piece in pieces), 8))
        u8 = {local: ("U8", shape) for local, shape in index.items()}
        if self.scheme is None:
            if arrangement == "plain":
                return {"": (self.dtype, self.shape)}
            return {
                "values": (self.dtype, (kept,) if stream else (stored_rows, stored_columns))
            } | u8
        bits = self.scheme["bits"]
        in_rows = (stored_rows, upwards(stored_columns * bits, 8))
        codes = (upwards(kept * bits, 8),) if stream else in_rows
        return {"codes": ("U8", codes), **self.parameters(stored_rows), **u8}

    def parameters(self, rows: int) -> Parts:
        groups = upwards(self.columns, self.group_width())
        if self.scheme["group_size"] == "tensor":
            rows, groups = 1, 1
        found: Parts = {"scale": (self.scheme.get("scale_dtype", "U8"), (rows, groups))}
        if self.scheme["scheme"] == "integer" and not self.scheme["symmetric"]:
            found["zero_point"] = ("U8", (rows, upwards(groups * self.scheme["bits"], 8)))
        if self.scheme.get("center") == "mean":
            found["mean"] = (self.scheme["scale_dtype"], (rows, groups))
        if self.scheme["scheme"] == "affine":
            found["bias"] = (self.scheme["scale_dtype"], (rows, groups))
        if self.scheme["scheme"] == "nvfp4" and self.scheme.get("global_scale", True):
            found["global_scale"] = ("F32", (1, 1))
        if self.scheme["scheme"] == "nf4-double":
            found["nested_absmax"] = ("F32", (upwards(self.rows * groups, 256), 1))
            found["nested_offset"] = ("F32", (1, 1))
        return found

    def group_width(self) -> int:
        size = self.scheme["group_size"]
        return size if isinstance(size, int) else self.columns

    # which elements are kept

    def pieces(self) -> list[tuple[int, int]]:
        """(columns, kept ones) of each N:M group of a row."""
        kept, width = self.sides("of")
        found = [(width, kept)] * (self.columns // width)
        rest = self.columns % width
        return [*found, (rest, min(kept, rest))] if rest else found

    def is_kept(self, row: int) -> list[bool]:
        """For each column of a row: whether it is kept."""
        if self.arrangement == "plain":
            return [True] * self.columns
        if self.arrangement == "ranks":
            return self.from_ranks(self.part("ranks")[row].tobytes())
        mask = self.part("mask")
        if self.arrangement == "mask of elements":
            return [bit(mask[row].tobytes(), column) for column in range(self.columns)]
        if self.arrangement == "mask of rows":
            return [bit(mask.tobytes(), row)] * self.columns
        if self.arrangement == "mask of columns":
            return [bit(mask.tobytes(), column) for column in range(self.columns)]
        high, wide = self.sides("x")
        blocks = mask[row // high].tobytes()
        return [bit(blocks, column // wide) for column in range(self.columns)]

    def from_ranks(self, stream: bytes) -> list[bool]:
        kept: list[bool] = []
        at = 0
        for width, count in self.pieces():
            size = rank_bits(width, count)
            pattern = patterns(width, count)[number(stream, at, size)]
            at += size
            kept += [pattern >> column & 1 == 1 for column in range(width)]
        return kept

    # the values

    def decoded(self) -> np.ndarray[Any, Any]:
        values = np.zeros((self.rows, self.columns), np.dtype(DTYPES[self.dtype]))
        before = 0  # kept elements of the rows above
        rows_before = 0  # kept rows above
        for row in range(self.rows):
            places = [column for column, kept in enumerate(self.is_kept(row)) if kept]
            for at, column in enumerate(places):
                if self.scheme is None:
                    values[row, column] = self.value(row, column, before + at)
                else:
                    code = self.code(row, rows_before, at, before + at)
                    wide = self.formula(code, row, self.parameter_row(row, rows_before), column)
                    values[row, column] = rounded(wide, self.dtype)
            before += len(places)
            rows_before += bool(places)
        if self.arrangement != "plain" and before != self.kept:
            raise ValueError(f"{self.name} keeps {before} elements and says {self.kept}")
        return values.reshape(self.shape)

    def value(self, row: int, column: int, index: int) -> Any:
        if self.arrangement == "plain":
            return self.part("").reshape(self.rows, self.columns)[row, column]
        return self.part("values").reshape(-1)[index]

    def code(self, row: int, rows_before: int, at: int, index: int) -> int:
        bits = self.scheme["bits"]
        codes = self.part("codes")
        if codes.ndim == 1:
            return number(codes.tobytes(), index * bits, bits)
        stored_row = rows_before if self.arrangement == "mask of rows" else row
        return number(codes[stored_row].tobytes(), at * bits, bits)

    def parameter_row(self, row: int, rows_before: int) -> int:
        if self.scheme["group_size"] == "tensor":
            return 0
        return rows_before if self.arrangement == "mask of rows" else row

    def formula(self, code: int, row: int, parameter_row: int, column: int) -> np.float32:
        group = 0 if self.scheme["group_size"] == "tensor" else column // self.group_width()
        with np.errstate(over="ignore"):
            if self.scheme["scheme"] == "affine":
                scale, bias = (
                    float(self.part(name)[parameter_row, group]) for name in ("scale", "bias")
                )
                return np.float32(code * scale + bias)
            if self.scheme["scheme"] in ("integer", "binary"):
                unit = self.part("scale")[parameter_row, group]
                value = self.of_integers(code, parameter_row, group)
            else:
                unit = self.unit(row, parameter_row, group)
                value = np.float32(self.number(code) * unit)
        return np.float32(0) if value == 0 and unit < 0 else value

    def of_integers(self, code: int, row: int, group: int) -> np.float32:
        bits = self.scheme["bits"]
        scale = np.float32(self.part("scale")[row, group])
        mean = np.float32(0)
        if self.scheme["center"] == "mean":
            mean = np.float32(self.part("mean")[row, group])
        if self.scheme["scheme"] == "binary":
            return np.float32(mean + scale) if code == 1 else np.float32(mean - scale)
        zero = 2 ** (bits - 1)
        if not self.scheme["symmetric"]:
            zero = number(self.part("zero_point")[row].tobytes(), group * bits, bits)
        product = np.float32(np.float32(code - zero) * scale)
        return np.float32(product + mean) if self.scheme["center"] == "mean" else product

    def unit(self, row: int, parameter_row: int, group: int) -> np.float32:
        """What a number of 1 stands for."""
        scale = self.part("scale")[parameter_row, group]
        if self.scheme["scheme"] in ("mxfp4", "mxfp8"):
            return np.float32(2.0 ** (int(scale) - 127))
        if self.scheme["scheme"] == "nvfp4" and not self.scheme.get("global_scale", True):
            return e4m3(int(scale))
        if self.scheme["scheme"] == "nvfp4":
            return np.float32(e4m3(int(scale)) / self.part("global_scale")[0, 0])
        if self.scheme["scheme"] == "nf4-double":
            place = row * upwards(self.columns, self.group_width()) + group
            most = self.part("nested_absmax")[place // 256, 0]
            distance = np.float32(dynamic_map()[scale] * most)
            return np.float32(distance + self.part("nested_offset")[0, 0])
        return np.float32(scale)

    def number(self, code: int) -> np.float32:
        name = self.scheme["scheme"]
        if name == "ternary":
            return np.float32(code - 1)
        if name in ("nf4", "nf4-double"):
            return np.float32(NF4[code])
        if name in ("fp8-block", "mxfp8"):
            return e4m3(code)
        if name == "fp8":
            return e4m3(code) if self.scheme["element"] == "e4m3" else e5m2(code)
        return np.float32(math.copysign(E2M1[code & 7], -1 if code & 8 else 1))


@cache
def dynamic_map() -> list[np.float32]:
    """The 256 numbers that the codes of the scales of ``nf4-double`` stand for."""
    low, half = np.float32(0.1), np.float32(2)
    above = []
    for i, ten in enumerate((1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)):
        n = 2**i
        step = float((np.float32(1) - low) / np.float32(n))
        bounds = [
            np.float32(float(low) + step * k if k < (n + 1) // 2 else 1 - step * (n - k))
            for k in range(n + 1)
        ]
        for left, right in pairwise(bounds):
            above.append(np.float32(np.float32((left + right) / half) * np.float32(ten)))
    return sorted([*above, *(-number for number in above), np.float32(0), np.float32(1)])


def e4m3(pattern: int) -> np.float32:
    exponent, mantissa = pattern >> 3 & 15, pattern & 7
    size = mantissa * 2.0**-9 if exponent == 0 else (8 + mantissa) * 2.0 ** (exponent - 10)
    return np.float32(math.copysign(size, -1 if pattern & 128 else 1))


def e5m2(pattern: int) -> np.float32:
    return np.float32(np.array([pattern << 8], np.uint16).view(np.float16)[0])


def upwards(a: int, b: int) -> int:
    """The quotient rounded up."""
    return (a + b - 1) // b


def bit(stream: bytes, index: int) -> bool:
    return stream[index // 8] >> index % 8 & 1 == 1


def number(stream: bytes, first: int, bits: int) -> int:
    return sum(bit(stream, first + index) << index for index in range(bits))


def rank_bits(width: int, kept: int) -> int:
    return (math.comb(width, kept) - 1).bit_length()


@cache
def patterns(width: int, kept: int) -> list[int]:
    return [pattern for pattern in range(1 << width) if bin(pattern).count("1") == kept]


def rounded(value: np.float32, dtype: str) -> Any:
    """Rounded to ``dtype`` half to even, what is too large to the largest number that there is."""
    largest = LARGEST[dtype]
    return DTYPES[dtype](min(max(value, -largest), largest))
