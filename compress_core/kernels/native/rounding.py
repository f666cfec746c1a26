"""Twins of :mod:`compress_core.kernels.rounding`. Other dtypes go to the NumPy functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.codebooks import NF4, NF4_BOUNDS
from compress_core.kernels.differences import Weighed
from compress_core.kernels.native.calls import (
    ARRAY,
    COUNT,
    DTYPES,
    FLOAT,
    INT,
    address,
    function,
    of_groups,
)
from compress_core.kernels.native.scaled import FORMATS, numbers
from compress_core.kernels.rounding import Coded, Rounding
from compress_core.kernels.scales import LARGEST, SMALLEST
from compress_core.kernels.twins import SPECIFICATIONS

_INTEGER = 5
"""In ``rounding.c``, beside the formats of ``formats.h``."""

_KNOWN = ("BF16", "F16", "F32")
_ENCODED = ("integer", "nf4", "F8_E4M3", "F8_E5M2")

_SHAPE = (COUNT, COUNT, COUNT)
_SCALING = (FLOAT, INT, FLOAT, FLOAT, FLOAT)
_round = function(
    "modelopt_round",
    *(ARRAY, INT, *_SHAPE, *_SCALING, INT, FLOAT, FLOAT, FLOAT, ARRAY, ARRAY, ARRAY, ARRAY, ARRAY),
)
_measure = function(
    "modelopt_measure_codes",
    *(ARRAY, INT, *_SHAPE, ARRAY, ARRAY, INT, ARRAY, FLOAT, INT, COUNT, ARRAY, ARRAY),
)


def rounded(
    raw: NDArray[Any], code: str, width: int, how: Rounding
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """See :func:`compress_core.kernels.rounding.rounded`."""
    specification = SPECIFICATIONS["rounding.rounded"]
    if code not in _KNOWN or how.number not in _ENCODED or not raw.size:
        scale, codes = specification(raw, code, width, how)
        return scale, codes
    rows, columns = raw.shape
    raw, codes = np.ascontiguousarray(raw), np.empty((rows, columns), np.uint8)
    scale, beyond = np.empty((rows, -(-columns // width)), np.float32), np.empty(1, np.intc)
    dtype = how.scale_dtype
    scaling = how.steps, DTYPES[dtype], SMALLEST[dtype], LARGEST[dtype], how.of_zero
    format_ = _INTEGER if how.number == "integer" else FORMATS[how.number]
    coding = format_, how.low, how.high, how.after, address(NF4_BOUNDS), address(NF4)
    results = address(scale), address(codes), address(beyond)
    _round(address(raw), DTYPES[code], rows, columns, width, *scaling, *coding, *results)
    if beyond[0]:
        scale, codes = specification(raw, code, width, how)  # which says what is wrong
    return scale, codes


def rounding_errors(
    raw: NDArray[Any], code: str, coded: Coded, stored: str, grain: int
) -> list[Weighed]:
    """See :func:`compress_core.kernels.rounding.rounding_errors`."""
    if code not in _KNOWN or stored not in _KNOWN or not raw.size:
        other: list[Weighed] = SPECIFICATIONS["rounding.rounding_errors"](
            raw, code, coded, stored, grain
        )
        return other
    rows, columns = raw.shape
    raw, codes = np.ascontiguousarray(raw), np.ascontiguousarray(coded.codes)
    unit = of_groups(coded.unit, rows, -(-columns // coded.width))
    if coded.number == "integer":
        format_, table = _INTEGER, None
    else:
        format_, table = FORMATS[coded.number], numbers(coded.number)
    count = -(-rows // grain)
    sums, zeros = np.empty((count, 3), np.float64), np.empty(count, np.int64)
    given = address(raw), DTYPES[code], rows, columns, coded.width, address(codes), address(unit)
    meaning = format_, address(table), coded.zero, DTYPES[stored], grain
    _measure(*given, *meaning, address(sums), address(zeros))
    return [
        Weighed(error, reference, largest, none)
        for (error, reference, largest), none in zip(sums.tolist(), zeros.tolist(), strict=True)
    ]
