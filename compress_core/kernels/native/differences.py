"""Twins of :mod:`compress_core.kernels.differences`. F64 goes to the NumPy function."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.differences import Measured
from compress_core.kernels.floats import FP8, fp8_values
from compress_core.kernels.native.calls import ARRAY, COUNT, DTYPES, INT, address, function
from compress_core.kernels.twins import SPECIFICATIONS

_OF_BYTES = -1
"""A dtype that is none of the others: its numbers come from a table."""


class _Measured(ctypes.Structure):
    _fields_ = (
        ("error_square", ctypes.c_double),
        ("reference_square", ctypes.c_double),
        ("max_abs", ctypes.c_double),
        ("same", ctypes.c_int64),
        ("zeros_a", ctypes.c_int64),
        ("zeros_b", ctypes.c_int64),
    )


_NUMBERS = (ARRAY, INT, ARRAY)
_measure = function("modelopt_measure", *_NUMBERS, *_NUMBERS, COUNT, ctypes.POINTER(_Measured))
_weigh = function(
    "modelopt_weigh",
    *_NUMBERS,
    COUNT,
    ctypes.POINTER(ctypes.c_double),
    ctypes.POINTER(ctypes.c_int64),
)


def measured(a: NDArray[Any], b: NDArray[Any], codes: tuple[str, str]) -> Measured:
    """See :func:`compress_core.kernels.differences.measured`."""
    if "F64" in codes:
        other: Measured = SPECIFICATIONS["differences.measured"](a, b, codes)
        return other
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    found = _Measured()
    _measure(*_numbers(a, codes[0]), *_numbers(b, codes[1]), a.size, ctypes.byref(found))
    return Measured(*(getattr(found, name) for name, _ in _Measured._fields_))


def weight(a: NDArray[Any], code: str) -> tuple[float, int]:
    """See :func:`compress_core.kernels.differences.weight`."""
    if code == "F64":
        other: tuple[float, int] = SPECIFICATIONS["differences.weight"](a, code)
        return other
    a = np.ascontiguousarray(a)
    square, zeros = ctypes.c_double(), ctypes.c_int64()
    _weigh(*_numbers(a, code), a.size, ctypes.byref(square), ctypes.byref(zeros))
    return square.value, zeros.value


def _numbers(raw: NDArray[Any], code: str) -> tuple[int | None, int, int | None]:
    if code in FP8:
        return address(raw), _OF_BYTES, address(fp8_values(code))
    return address(raw), DTYPES[code], None
