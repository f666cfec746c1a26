"""The header of an array: magic, version, the length of a text, and the text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from compress_core.errors import FormatError, UnsupportedError
from compress_core.formats.numpy.descr import ElementType, parse_descr
from compress_core.formats.numpy.literal import parse_literal
from compress_core.formats.numpy.marks import MAGIC
from compress_core.tensors import TensorInfo
from compress_core.views import View

# NumPy's own limit; headers of arrays of numbers take 128
_MAX_HEADER = 10_000
# NumPy's too
_MAX_DIMENSIONS = 64
_MAX_BYTES = (1 << 63) - 1

# version → bytes of the length that follows it
_VERSIONS = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
_LONGEST_PREFIX = 12

_AGAIN = "copy or download it again"


@dataclass(frozen=True)
class Header:
    """What the header of an array says.

    :ivar fortran_order: whether the first index runs fastest.
    :ivar length: bytes before the data.
    """

    element: ElementType
    shape: tuple[int, ...]
    fortran_order: bool
    length: int

    @property
    def nbytes(self) -> int:
        """Bytes of the data."""
        return math.prod(self.shape) * self.element.dtype.bits // 8

    def info(self, name: str) -> TensorInfo:
        """The array as a tensor."""
        return TensorInfo(name, self.element.dtype, self.shape, self.nbytes)

    def view(self, start: int) -> View:
        """Where its elements are, when its file begins at byte ``start``."""
        first, swapped = start + self.length, self.element.swapped
        if not self.fortran_order:
            return View.contiguous(self.shape, first, swapped=swapped)
        mirrored = View.contiguous(self.shape[::-1], first)
        return View(self.shape, mirrored.strides[::-1], first, swapped)


def read_header(beginning: Callable[[int], bytes], size: int, at: str, where: str) -> Header:
    """Read and check the header of an array.

    :param beginning: gives the first so many bytes of the array's file, or all there are.
    :param size: bytes of that file; data must end with it. NumPy ignores what comes after them,
        and so something could hide there.
    :param at: what begins every message: nothing, or the member of an archive.
    :raises FormatError: it breaks the rules.
    :raises UnsupportedError: objects, text, records, or a dtype that safetensors does not have.
    """
    start, stop = _span(beginning(_LONGEST_PREFIX), size, at, where)
    literal = parse_literal(beginning(stop)[start:].decode("latin-1"), at, where)
    element = parse_descr(literal.descr, at, where)
    header = Header(element, literal.shape, literal.fortran_order, stop)
    _check_shape(header, at, where)
    _check_data(header, size - stop, at, where)
    return header


def _span(prefix: bytes, size: int, at: str, where: str) -> tuple[int, int]:
    """Where the text of the header begins and ends."""
    if not prefix.startswith(MAGIC):
        raise FormatError(f"{at}not an array of NumPy", where=where)
    width = _VERSIONS.get(prefix[6:8])
    if width is None:
        version = ".".join(str(number) for number in prefix[6:8]) or "none"
        said = f"{at}version {version} of NumPy's format, only 1.0 to 3.0 are read"
        raise UnsupportedError(said, where=where)
    start = 8 + width
    length = int.from_bytes(prefix[8:start], "little")
    if start + length > size:
        raise FormatError(f"{at}cut short inside its header", where=where, hint=_AGAIN)
    if length > _MAX_HEADER:
        said = f"{at}a header of {length:,} bytes, at most {_MAX_HEADER:,} are read"
        raise FormatError(said, where=where)
    return start, start + length


def _check_shape(header: Header, at: str, where: str) -> None:
    """What NumPy itself cannot hold: an empty array may not be huge in its other sizes, either."""
    if len(header.shape) > _MAX_DIMENSIONS:
        said = f"{at}a shape of {len(header.shape)} dimensions, at most {_MAX_DIMENSIONS} are read"
        raise FormatError(said, where=where)
    bits = math.prod(size for size in header.shape if size) * header.element.dtype.bits
    if bits // 8 > _MAX_BYTES:
        raise FormatError(f"{at}its shape overflows 64 bits", where=where)


def _check_data(header: Header, size: int, at: str, where: str) -> None:
    if size < header.nbytes:
        said = f"{at}cut short: {size:,} bytes of data, its shape makes {header.nbytes:,}"
        raise FormatError(said, where=where, hint=_AGAIN)
    if size > header.nbytes:
        raise FormatError(f"{at}{size - header.nbytes:,} bytes after its data", where=where)
