"""Importance matrices of llama.cpp in GGUF.

``general.type`` is ``imatrix``. For a weight ``X`` there are ``X.in_sum2``, the sums of x_j² (ne0 =
columns, ne1 = experts), and ``X.counts``, how many inputs they are of (ne0 = 1, ne1 = experts), in
F32. Of an expert that got no input nothing is known: llama.cpp takes 1 for all its columns.

Source: ``save_imatrix`` of tools/imatrix/imatrix.cpp and ``load_imatrix`` of
tools/quantize/quantize.cpp of llama.cpp; docs/gguf.md of ggml for the container.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compress_core.errors import FormatError, UnsupportedError
from compress_core.grams.base import Refusal
from compress_core.grams.entries import Floats
from compress_core.inputs import InputFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"GGUF"

_SUMS, _COUNTS = ".in_sum2", ".counts"
_VERSIONS = (2, 3)
_LONGEST_TEXT = 1 << 20
_MOST_DIMENSIONS = 4
_MOST = 1_000_000
"""Keys, tensors, texts of an array: more would only take time."""
_F32 = 0
_STRING, _ARRAY = 8, 9
_UINT32 = 4
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Types of values but strings and arrays → bytes."""


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True)
class Counted:
    """An entry: sums, and what they are of."""

    sums: Floats
    counts: Floats

    @property
    def size(self) -> int:
        """Values there are."""
        return self.sums.size

    def values(self, file: InputFile) -> NDArray[np.float64]:
        """The mean squares; NaN where a count is none."""
        import numpy as np

        counts = self.counts.read(file)
        counts = np.where(np.isfinite(counts) & (counts >= 0), counts, np.nan)
        sums = self.sums.read(file).reshape(len(counts), -1)
        known = counts[:, None] != 0
        return np.where(known, sums / np.where(known, counts[:, None], 1), 1.0).reshape(-1)


def entries_of(file: InputFile) -> Mapping[str, Counted]:
    """Name of a weight → entry.

    :raises FormatError: the file is cut off, or a number in it cannot be.
    :raises UnsupportedError: it is no importance matrix, or of a version that is not known.
    """
    return _Parser(file).entries()


class _Parser:
    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._at = len(MAGIC)
        self._type: str | None = None
        self._alignment = 32

    def entries(self) -> Mapping[str, Counted]:
        version = self._number("<I")
        if version not in _VERSIONS:
            raise UnsupportedError(f"GGUF of version {version:,}", where=self._where)
        tensors, keys = self._count("tensors"), self._count("keys")
        for _ in range(keys):
            self._key()
        if self._type != "imatrix":
            said = "model" if self._type is None else self._type
            raise UnsupportedError(
                f"a GGUF file of type {said!r}, and no importance matrix", where=self._where
            )
        found: dict[str, _Tensor] = {}
        for _ in range(tensors):
            name = self._text()
            if name in found:
                raise Refusal(name, self._where).of("it is there twice")
            found[name] = self._tensor(name)
        begin = -(-self._at // self._alignment) * self._alignment
        return self._paired({name: self._floats(name, one, begin) for name, one in found.items()})

    def _paired(self, found: Mapping[str, Floats]) -> Mapping[str, Counted]:
        entries = {}
        for name, sums in found.items():
            if name.endswith(_COUNTS) and name.removesuffix(_COUNTS) + _SUMS not in found:
                raise Refusal(name, self._where).of("there are no sums that it goes with")
            if not name.endswith(_SUMS):
                continue
            weight = name.removesuffix(_SUMS)
            counts = found.get(weight + _COUNTS)
            if counts is None:
                raise Refusal(name, self._where).of("there is no count of its inputs")
            if not counts.size or sums.size % counts.size:
                raise Refusal(name, self._where).of(f"{counts.size:,} counts do not go with it")
            entries[weight] = Counted(sums, counts)
        return entries

    def _floats(self, name: str, one: _Tensor, begin: int) -> Floats:
        refused = Refusal(name, self._where)
        if one.kind != _F32:
            raise refused.of(f"its type is number {one.kind:,}, and not F32")
        size = math.prod(one.shape)
        start = begin + one.offset
        if not size or start + 4 * size > self._file.size:
            raise refused.of(
                f"{size:,} values at {start:,}, in a file of {self._file.size:,} bytes"
            )
        return Floats(start, size)

    def _tensor(self, name: str) -> _Tensor:
        dimensions = self._number("<I")
        if not 0 < dimensions <= _MOST_DIMENSIONS:
            raise Refusal(name, self._where).of(f"it has {dimensions:,} dimensions")
        shape = tuple(self._number("<Q") for _ in range(dimensions))
        return _Tensor(shape, self._number("<I"), self._number("<Q"))

    def _key(self) -> None:
        """Look at a key and its value; two of them count."""
        key, kind = self._text(), self._number("<I")
        if key == "general.type" and kind == _STRING:
            self._type = self._text()
        elif key == "general.alignment" and kind == _UINT32:
            self._alignment = self._number("<I")
            if self._alignment < 1 or self._alignment & (self._alignment - 1):
                raise self._broken(f"an alignment of {self._alignment:,} bytes")
        else:
            self._skip(key, kind)

    def _skip(self, key: str, kind: int) -> None:
        count = 1
        if kind == _ARRAY:
            kind, count = self._number("<I"), self._number("<Q")
        if kind == _STRING:
            if count > _MOST:
                raise self._broken(f"an array of {count:,} texts")
            for _ in range(count):
                self._text()
        elif kind in _SIZES:
            self._take(count * _SIZES[kind])
        else:
            raise self._broken(f"the value of {key!r} has type {kind:,}")

    def _text(self) -> str:
        length = self._number("<Q")
        if length > _LONGEST_TEXT:
            raise self._broken(f"a text of {length:,} bytes")
        start = self._take(length)
        try:
            return self._file.read(start, start + length).decode("utf-8")
        except UnicodeDecodeError:
            raise self._broken("a text that is not UTF-8") from None

    def _count(self, what: str) -> int:
        found = self._number("<Q")
        if found > _MOST:
            raise self._broken(f"a GGUF file of {found:,} {what}")
        return found

    def _number(self, form: str) -> int:
        size = struct.calcsize(form)
        start = self._take(size)
        found: int = struct.unpack(form, self._file.read(start, start + size))[0]
        return found

    def _take(self, size: int) -> int:
        """Go over some bytes; where they begin."""
        if size > self._file.size - self._at:
            raise self._broken("a GGUF file that ends too early")
        start, self._at = self._at, self._at + size
        return start

    @property
    def _where(self) -> str:
        return str(self._file.path)

    def _broken(self, reason: str) -> FormatError:
        return FormatError(reason, where=self._where)
