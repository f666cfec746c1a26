"""Which of many keys are the smallest: exactly k of them, the higher index first among equals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.twins import twin


@twin
def below(keys: NDArray[Any], bound: int, skipped: int) -> NDArray[np.bool_]:
    """A mask of the keys below ``bound`` and of those equal to it, but for the first ``skipped``
    of these in row-major order.
    """
    taken: NDArray[np.bool_] = keys.reshape(-1) <= keys.dtype.type(bound)
    if skipped > 0:
        ties = np.flatnonzero(keys == keys.dtype.type(bound))[:skipped]
        taken[ties] = False
    return taken.reshape(keys.shape)


@twin
def smallest(keys: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """For every row of ``keys`` (rows, n): a mask of its ``k`` smallest.

    Among equal keys the one with the higher index is taken first.
    """
    rows, count = keys.shape
    if k <= 0 or k >= count:
        return np.full((rows, count), k > 0, dtype=np.bool_)
    bound = np.partition(keys, k - 1, axis=1)[:, k - 1 : k]
    taken = keys <= bound
    excess = np.count_nonzero(taken, axis=1) - k
    for row in np.flatnonzero(excess):
        ties = np.flatnonzero(keys[row] == bound[row])
        taken[row, ties[: excess[row]]] = False
    return taken


def smallest_of_groups(keys: NDArray[Any], kept: int, width: int) -> NDArray[np.bool_]:
    """N:M selection: of each ``width`` consecutive columns all but the ``kept`` largest.

    A ragged last group of r columns keeps min(kept, r). Ties as in :func:`smallest`.
    """
    rows, columns = keys.shape
    whole = columns - columns % width
    mask = np.empty((rows, columns), dtype=np.bool_)
    groups = keys[:, :whole].reshape(rows, whole // width, width)
    mask[:, :whole] = of_groups(groups, width - kept).reshape(rows, whole)
    rest = columns - whole
    if rest:
        mask[:, whole:] = of_groups(keys[:, whole:].reshape(rows, 1, rest), max(rest - kept, 0))[
            :, 0
        ]
    return mask


@twin
def of_groups(keys: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """The ``k`` smallest of each group: (rows, groups, width) → a mask. Ties as in
    :func:`smallest`.
    """
    width = keys.shape[2]
    if k <= 0 or k >= width:
        return np.full(keys.shape, k > 0, dtype=np.bool_)
    if width > 16:
        return smallest(keys.reshape(-1, width), k).reshape(keys.shape)
    # few columns: count for each one how many go before it, which needs no sorting
    lanes = np.moveaxis(keys, 2, 0).copy()
    before = np.zeros(lanes.shape, dtype=np.uint8)
    for low in range(width):
        for high in range(low + 1, width):
            high_first = lanes[high] <= lanes[low]
            before[low] += high_first
            before[high] += ~high_first
    return np.moveaxis(before < k, 0, 2)


@twin
def digit_histogram(keys: NDArray[Any], width: int, prefix: int, known: int) -> NDArray[np.int64]:
    """Histogram of the next 16 bits of those keys whose top ``known`` bits equal ``prefix``."""
    if known:
        keys = keys[(keys >> keys.dtype.type(width - known)) == keys.dtype.type(prefix)]
    shift = width - known - 16
    digits = (keys >> keys.dtype.type(shift)) & keys.dtype.type(0xFFFF)
    return np.bincount(digits.ravel().astype(np.intp), minlength=1 << 16)
