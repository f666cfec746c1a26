"""Twins of :mod:`compress_core.kernels.differences`. F64 goes to the NumPy function."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.differences import Measured, Weighed
from compress_core.kernels.floats import FP8, fp8_values
from compress_core.kernels.native.calls import ARRAY, COUNT, DTYPES, INT, address, function
from compress_core.kernels.twins import SPECIFICATIONS

_OF_BYTES = -1
"""A dtype that is none of the others: its numbers come from a table."""


_NUMBERS = (ARRAY, INT, ARRAY)
_measure = function("modelopt_measure", *_NUMBERS, *_NUMBERS, COUNT, COUNT, ARRAY, ARRAY)
_weigh = function("modelopt_weigh", *_NUMBERS, COUNT, ARRAY, ARRAY)


def measured(a: NDArray[Any], b: NDArray[Any], codes: tuple[str, str]) -> Measured:
    """See :func:`compress_core.kernels.differences.measured`."""
    if "F64" in codes:
        other: Measured = SPECIFICATIONS["differences.measured"](a, b, codes)
        return other
    sums, counts = _grains(a, b, codes, max(a.size, 1))
    error_square, reference_square, largest = sums[0] if sums else (0.0, 0.0, 0.0)
    return Measured(error_square, reference_square, largest, *(counts[0] if counts else (0, 0, 0)))


def grains(a: NDArray[Any], b: NDArray[Any], codes: tuple[str, str], grain: int) -> list[Weighed]:
    """See :func:`compress_core.kernels.differences.grains`."""
    if "F64" in codes:
        other: list[Weighed] = SPECIFICATIONS["differences.grains"](a, b, codes, grain)
        return other
    sums, counts = _grains(a, b, codes, max(grain * a.shape[1], 1))
    return [
        Weighed(error, reference, largest, zeros)
        for (error, reference, largest), (_, _, zeros) in zip(sums, counts, strict=True)
    ]


def _grains(
    a: NDArray[Any], b: NDArray[Any], codes: tuple[str, str], grain: int
) -> tuple[list[list[float]], list[list[int]]]:
    """Sums and counts of each ``grain`` elements, as in ``differences.c``."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    shape = -(-a.size // grain), 3
    sums, counts = np.empty(shape, np.float64), np.empty(shape, np.int64)
    numbers = *_numbers(a, codes[0]), *_numbers(b, codes[1])
    _measure(*numbers, a.size, grain, address(sums), address(counts))
    return sums.tolist(), counts.tolist()


def weight(a: NDArray[Any], code: str) -> tuple[float, int]:
    """See :func:`compress_core.kernels.differences.weight`."""
    if code == "F64":
        other: tuple[float, int] = SPECIFICATIONS["differences.weight"](a, code)
        return other
    a = np.ascontiguousarray(a)
    square, zeros = np.empty(1, np.float64), np.empty(1, np.int64)
    _weigh(*_numbers(a, code), a.size, address(square), address(zeros))
    return float(square[0]), int(zeros[0])


def _numbers(raw: NDArray[Any], code: str) -> tuple[int | None, int, int | None]:
    if code in FP8:
        return address(raw), _OF_BYTES, address(fp8_values(code))
    return address(raw), DTYPES[code], None
