"""Importance matrices of llama.cpp as they were before GGUF: ``.dat`` files.

Little-endian: the number of entries (int32); of each the length of its name (int32), the name, the
number of calls (int32), that of values (int32), the values (float32). A value is the mean of x_j²
times the number of calls; versions before the middle of 2024 wrote another multiple of it, the same
for all values of an entry. What follows the entries (the number of chunks, and which texts they
were) is not read.

Source: ``save_imatrix_legacy`` of tools/imatrix/imatrix.cpp of llama.cpp, and
``load_legacy_imatrix`` of its tools/quantize/quantize.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compress_core.errors import FormatError
from compress_core.grams.base import Refusal
from compress_core.grams.entries import Floats
from compress_core.inputs import InputFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIX = ".dat"

_LONGEST_NAME = 1024
_LEAST_ENTRY = 4 + 1 + 4 + 4 + 4
_MOST_ENTRIES = 100_000


@dataclass(frozen=True)
class Summed:
    """An entry.

    :ivar calls: what its values are multiples by; 0 stands for 1.
    """

    floats: Floats
    calls: int

    @property
    def size(self) -> int:
        """Values there are."""
        return self.floats.size

    def values(self, file: InputFile) -> NDArray[np.float64]:
        """The mean squares."""
        return self.floats.read(file) / max(1, self.calls)


def looks_like_it(head: bytes, size: int) -> bool:
    """Whether a file begins as such files do, which have no signature.

    :param head: its first bytes; ``size``: of the whole file.
    """
    if len(head) < _LEAST_ENTRY:
        return False
    entries, length = struct.unpack_from("<ii", head)
    if not (0 < entries <= size // _LEAST_ENTRY and 0 < length <= _LONGEST_NAME):
        return False
    name = head[8 : 8 + length]
    return name.isascii() and name.decode("ascii").isprintable()


def entries_of(file: InputFile) -> Mapping[str, Summed]:
    """Name → entry.

    :raises FormatError: the file is cut off, or a number in it cannot be.
    """
    return _Parser(file).entries()


class _Parser:
    def __init__(self, file: InputFile) -> None:
        self._file = file
        self._at = 0

    def entries(self) -> Mapping[str, Summed]:
        count = self._integer()
        if not 0 < count <= min(_MOST_ENTRIES, self._file.size // _LEAST_ENTRY):
            size = self._file.size
            raise self._broken(
                f"no importance matrix: it would have {count:,} entries in {size:,} bytes"
            )
        found: dict[str, Summed] = {}
        for number in range(1, count + 1):
            name = self._name(number)
            if name in found:
                raise Refusal(name, self._where).of("it is there twice")
            found[name] = self._entry(name)
        return found

    def _entry(self, name: str) -> Summed:
        calls, size = self._integer(name), self._integer(name)
        refused = Refusal(name, self._where)
        if calls < 0:
            raise refused.of(f"it was summed over {calls:,} calls")
        if size < 1 or 4 * size > self._file.size - self._at:
            raise refused.of(f"{size:,} values, and the file has {self._left:,} bytes for them")
        start, self._at = self._at, self._at + 4 * size
        return Summed(Floats(start, size), calls)

    def _name(self, number: int) -> str:
        length = self._integer()
        if not 0 < length <= min(_LONGEST_NAME, self._left):
            raise self._broken(f"the name of entry {number} has {length:,} bytes")
        data = self._file.read(self._at, self._at + length)
        self._at += length
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise self._broken(f"the name of entry {number} is not UTF-8") from None

    def _integer(self, name: str | None = None) -> int:
        if self._left < 4:
            after = "" if name is None else f" in the entry {name}"
            raise self._broken(f"an importance matrix that ends{after} too early")
        data = self._file.read(self._at, self._at + 4)
        self._at += 4
        return int.from_bytes(data, "little", signed=True)

    @property
    def _left(self) -> int:
        return self._file.size - self._at

    @property
    def _where(self) -> str:
        return str(self._file.path)

    def _broken(self, reason: str) -> FormatError:
        return FormatError(reason, where=self._where)
