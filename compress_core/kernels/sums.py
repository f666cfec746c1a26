"""Sums whose order is fixed, so that every implementation gives the same bits.

The order: with ``lanes = min(128, the power of two at or above n)``, lane j adds the elements j, j
+ lanes, j + 2·lanes … one after the other; then the upper half of the lanes is added to the lower
half until one is left. Missing elements count as zero. All in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LANES = 128


def ordered_sum(values: NDArray[Any]) -> NDArray[np.float64]:
    """Sum over the last axis, in float64 and in the order of this module; shape (…, n) → (…)."""
    count = values.shape[-1]
    lanes = LANES if count > LANES else 1 << max(count - 1, 0).bit_length()
    whole = count - count % lanes
    head = values[..., :whole].reshape(*values.shape[:-1], whole // lanes, lanes)
    sums = np.add.reduce(head, axis=-2, dtype=np.float64)
    sums[..., : count - whole] += values[..., whole:]
    while lanes > 1:
        lanes //= 2
        sums = sums[..., :lanes] + sums[..., lanes:]
    return np.asarray(sums[..., 0])


def column_sum(values: NDArray[Any], dtype: Any = np.float64) -> NDArray[Any]:
    """Sum over the first axis, in ``dtype`` and in the order of this module; shape (n, m) → (m,).

    In float64 the bits of :func:`ordered_sum` over the transposed array.
    """
    count, columns = values.shape
    lanes = LANES if count > LANES else 1 << max(count - 1, 0).bit_length()
    whole = count - count % lanes
    head = values[:whole].reshape(whole // lanes, lanes, columns)
    sums = np.add.reduce(head, axis=0, dtype=dtype)
    sums[: count - whole] += values[whole:]
    while lanes > 1:
        lanes //= 2
        sums = sums[:lanes] + sums[lanes:]
    return np.asarray(sums[0])


def square_sum(values: NDArray[Any]) -> float:
    """Σ values² over all elements; not finite where a value or a square is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(ordered_sum(np.square(values, dtype=np.float64).reshape(-1)))


def group_sum(
    values: NDArray[np.float32], kept: NDArray[np.bool_] | None
) -> dict[str, NDArray[Any]]:
    """``sum`` and ``count`` of the kept elements of groups: (rows, groups, width) → (rows, groups).

    ``values`` are zero where ``kept`` is false.
    """
    if kept is None:
        count = np.full(values.shape[:2], values.shape[2], dtype=np.float64)
    else:
        count = np.count_nonzero(kept, axis=2).astype(np.float64)
    return {"sum": ordered_sum(values), "count": count}


def mean_of(statistics: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """``sum / count`` rounded to float32; 0 where nothing was counted."""
    mean = statistics["sum"] / np.maximum(statistics["count"], 1)
    return np.asarray(mean, dtype=np.float32)
