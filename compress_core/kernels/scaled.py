"""Numbers of a narrow format times the unit of their group: codes, values, and the best unit."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels import floats
from compress_core.kernels.codebooks import (
    e2m1_codes,
    e2m1_values,
    nf4_codes,
    nf4_values,
    ternary_codes,
    ternary_values,
)
from compress_core.kernels.groups import grouped, ungrouped
from compress_core.kernels.trials import row_slices, squared_errors
from compress_core.kernels.twins import twin

Number = Literal["nf4", "e2m1", "ternary", "F8_E4M3", "F8_E5M2"]
"""A format: one of :mod:`compress_core.kernels.codebooks`, or a dtype of 8 bits."""


def codes_of(units: NDArray[np.float32], number: Number) -> NDArray[np.uint8]:
    """Codes of the numbers nearest to these, in the format ``number``."""
    if number == "nf4":
        return nf4_codes(units)
    if number == "e2m1":
        return e2m1_codes(units)
    if number == "ternary":
        return ternary_codes(units)
    return floats.narrow(units, number)


def numbers_of(codes: NDArray[np.uint8], number: Number) -> NDArray[np.float32]:
    """Numbers of codes, in a new array."""
    if number == "nf4":
        return nf4_values(codes)
    if number == "e2m1":
        return e2m1_values(codes)
    if number == "ternary":
        return ternary_values(codes)
    return floats.widen(codes, number)


def reach(bits: int, number: Number) -> tuple[np.float32, np.float32]:
    """Half a step beyond the smallest and the largest number of a format."""
    every = numbers_of(_codes(bits, number), number)
    table = np.unique(every[np.isfinite(every)])
    low, high = table[:2], table[-2:]
    half = np.float32(0.5)
    return low[0] - half * (low[1] - low[0]), high[1] + half * (high[1] - high[0])


def _codes(bits: int, number: Number) -> NDArray[np.uint8]:
    return np.arange(3 if number == "ternary" else 1 << bits, dtype=np.uint8)


@twin
def scaled_codes(
    values: NDArray[np.float32],
    width: int,
    divisor: NDArray[np.float32],
    number: Number,
    *,
    inverse: bool = False,
) -> NDArray[np.uint8]:
    """Codes of ``value / divisor``, or (``inverse``) of ``value · (1 / divisor)``, in float32.

    :param values: (rows, columns), no NaN; ``width`` columns have one ``divisor``, which
        broadcasts to (rows, groups).
    """
    work, each = grouped(values, width), divisor[:, :, None]
    with np.errstate(over="ignore"):
        units = np.multiply(work, np.float32(1) / each) if inverse else np.divide(work, each)
    return ungrouped(codes_of(units, number), values.shape[1])


@twin
def scaled_values(
    codes: NDArray[np.uint8], width: int, unit: NDArray[np.float32], number: Number
) -> NDArray[np.float32]:
    """``number · unit`` of codes (rows, columns), as in :func:`scaled_codes`.

    Where units are negative, zero times one of them is 0 and not −0.
    """
    values = numbers_of(grouped(codes, width), number)
    with np.errstate(over="ignore"):
        values *= unit[:, :, None]
    if (unit < 0).any():
        values += np.float32(0)
    return ungrouped(values, codes.shape[1])


@twin
def scaled_errors(
    values: NDArray[np.float32],
    kept: NDArray[np.bool_] | None,
    width: int,
    unit: NDArray[np.float32],
    number: Number,
) -> NDArray[np.float64]:
    """Squared error of each group with this unit, over the kept elements: (rows, groups).

    Units are finite. With a unit of 0 all values become 0.
    """
    divisor = np.where(unit == 0, np.float32(np.inf), unit)
    decoded = scaled_values(scaled_codes(values, width, divisor, number), width, unit, number)
    return squared_errors(values, decoded, kept, width)


@twin
def best_unit(
    values: NDArray[np.float32],
    kept: NDArray[np.bool_] | None,
    width: int,
    units: NDArray[np.float32],
    number: Number,
) -> NDArray[np.intp]:
    """Which of several units has the least squared error, for each group; the first among equals.

    :param units: (trials, rows, groups), at least one trial; the result is (rows, groups).
    """
    best = np.zeros(units.shape[1:], np.intp)
    for part in row_slices(*values.shape):
        own, stays = values[part], None if kept is None else kept[part]
        least = scaled_errors(own, stays, width, units[0, part], number)
        for index in range(1, len(units)):
            error = scaled_errors(own, stays, width, units[index, part], number)
            wins = error < least
            least = np.where(wins, error, least)
            best[part][wins] = index
    return best
