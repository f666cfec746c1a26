"""Twins of :mod:`compress_core.kernels.scaled`."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.codebooks import NF4, NF4_BOUNDS
from compress_core.kernels.native.calls import (
    ARRAY,
    COUNT,
    FLOAT,
    INT,
    address,
    floats,
    function,
    of_groups,
)
from compress_core.kernels.scaled import Number, numbers_of

FORMATS: dict[str, int] = {"nf4": 0, "e2m1": 1, "F8_E4M3": 2, "F8_E5M2": 3, "ternary": 4}
"""Formats in ``formats.h``."""

_SHAPE = (COUNT, COUNT, COUNT)
_TABLE = (INT, ARRAY, ARRAY)
_codes = function("modelopt_scaled_codes", ARRAY, *_SHAPE, ARRAY, INT, *_TABLE, ARRAY)
_values = function("modelopt_scaled_values", ARRAY, *_SHAPE, ARRAY, ARRAY, FLOAT, ARRAY)
_best = function("modelopt_best_unit", ARRAY, ARRAY, *_SHAPE, ARRAY, COUNT, *_TABLE, ARRAY, ARRAY)


@cache
def numbers(number: Number) -> NDArray[np.float32]:
    """What each of 256 codes stands for."""
    return numbers_of(np.arange(256, dtype=np.uint8), number)


def _table(number: Number) -> tuple[int, int | None, int | None]:
    return FORMATS[number], address(NF4_BOUNDS), address(NF4)


def scaled_codes(
    values: NDArray[np.float32],
    width: int,
    divisor: NDArray[np.float32],
    number: Number,
    *,
    inverse: bool = False,
) -> NDArray[np.uint8]:
    """See :func:`compress_core.kernels.scaled.scaled_codes`."""
    rows, columns = values.shape
    values, codes = floats(values), np.empty((rows, columns), np.uint8)
    divisor = of_groups(divisor, rows, -(-columns // width))
    given = address(values), rows, columns, width, address(divisor), inverse
    _codes(*given, *_table(number), address(codes))
    return codes


def scaled_values(
    codes: NDArray[np.uint8], width: int, unit: NDArray[np.float32], number: Number
) -> NDArray[np.float32]:
    """See :func:`compress_core.kernels.scaled.scaled_values`."""
    rows, columns = codes.shape
    raised = 0.0 if (unit < 0).any() else -0.0
    codes, values = np.ascontiguousarray(codes), np.empty((rows, columns), np.float32)
    unit = of_groups(unit, rows, -(-columns // width))
    given = address(codes), rows, columns, width, address(unit), address(numbers(number))
    _values(*given, raised, address(values))
    return values


def scaled_errors(
    values: NDArray[np.float32],
    kept: NDArray[np.bool_] | None,
    width: int,
    unit: NDArray[np.float32],
    number: Number,
) -> NDArray[np.float64]:
    """See :func:`compress_core.kernels.scaled.scaled_errors`."""
    rows, columns = values.shape
    groups = -(-columns // width)
    errors = np.empty((rows, groups), np.float64)
    _search(values, kept, width, of_groups(unit, rows, groups)[None], number, errors, None)
    return errors


def best_unit(
    values: NDArray[np.float32],
    kept: NDArray[np.bool_] | None,
    width: int,
    units: NDArray[np.float32],
    number: Number,
) -> NDArray[np.intp]:
    """See :func:`compress_core.kernels.scaled.best_unit`."""
    best = np.empty(units.shape[1:], np.intp)
    _search(values, kept, width, floats(units), number, None, best)
    return best


def _search(
    values: NDArray[np.float32],
    kept: NDArray[np.bool_] | None,
    width: int,
    units: NDArray[np.float32],
    number: Number,
    errors: NDArray[np.float64] | None,
    best: NDArray[np.intp] | None,
) -> None:
    rows, columns = values.shape
    values = floats(values)
    kept = None if kept is None else np.ascontiguousarray(kept)
    given = address(values), address(kept), rows, columns, width, address(units), len(units)
    _best(*given, *_table(number), address(errors), address(best))
