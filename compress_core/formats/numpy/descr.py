"""The dtypes of NumPy's files: ``descr`` in a header."""

from __future__ import annotations

import re
from dataclasses import dataclass

from compress_core.dtypes import DTYPES, DType
from compress_core.errors import UnsupportedError
from compress_core.strict_json import shown

_LETTERS = {"i": "I", "u": "U", "f": "F", "c": "C"}

_AS_NUMBERS = "save it as numbers: numpy.savez('weights.npz', name=array.astype('float32'))"
_BY_NAME = "save its arrays by name where it was made: numpy.savez('weights.npz', **arrays)"
_DROPPED = "leave it out: numpy.savez('weights.npz', **arrays) with the arrays of numbers alone"

_REFUSED = {
    "O": ("objects: a pickle, which can run code and is never loaded", _BY_NAME),
    "S": ("text", _DROPPED),
    "a": ("text", _DROPPED),
    "U": ("text", _DROPPED),
    "T": ("text", _DROPPED),
    "M": ("dates", _DROPPED),
    "m": ("time differences", _DROPPED),
    "V": ("raw bytes", _AS_NUMBERS),
}

# ml_dtypes gives NumPy its types, and NumPy writes no more of them than their width
_FOREIGN = {
    "V2": "raw 16-bit elements, probably bfloat16: NumPy's files do not keep that type",
    "V1": "raw 8-bit elements, one of the FP8 or INT4 types: NumPy's files do not keep which",
}


@dataclass(frozen=True)
class ElementType:
    """What the elements of an array are.

    :ivar swapped: whether they are big-endian.
    """

    dtype: DType
    swapped: bool


def parse_descr(descr: str, at: str, where: str) -> ElementType:
    """The type that a string such as ``<f4`` names.

    :param at: what begins every message: nothing, or the member of an archive.
    :raises UnsupportedError: no type of numbers that weights have, or of unsaid byte order.
    """
    found = re.fullmatch(
        r"([<>|=]?)(?:([A-Za-z])(0|[1-9]\d{0,8}|)|([Mm])8\[\w*\])", descr, re.ASCII
    )
    if found is None:
        raise UnsupportedError(f"{at}unknown dtype {shown(descr)}", where=where, hint=_AS_NUMBERS)
    order, kind, width, time = found.groups()
    dtype = _dtype(kind, int(width or 0))
    if dtype is None:
        raise _refused(kind or time, width or "", descr, at, where)
    if dtype.bits > 8 and order not in ("<", ">"):
        said = f"{at}dtype {shown(descr)} does not say its byte order"
        raise UnsupportedError(said, where=where, hint=_AS_NUMBERS)
    return ElementType(dtype, swapped=order == ">" and dtype.bits > 8)


def _dtype(kind: str | None, width: int) -> DType | None:
    if kind == "b":
        return DTYPES["BOOL"] if width == 1 else None
    return DTYPES.get(f"{_LETTERS[kind]}{8 * width}") if kind in _LETTERS else None


def _refused(kind: str, width: str, descr: str, at: str, where: str) -> UnsupportedError:
    said, hint = f"dtype {shown(descr)}, which safetensors does not have", _AS_NUMBERS
    if kind in _REFUSED:
        said, hint = _REFUSED[kind]
        said = f"an array of {said}"
    if kind + width in _FOREIGN:
        said = f"an array of {_FOREIGN[kind + width]}"
    return UnsupportedError(at + said, where=where, hint=hint)
