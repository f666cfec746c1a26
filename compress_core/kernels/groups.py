"""Rows cut into groups of columns, and parameters spread over them again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.twins import twin


def grouped(values: NDArray[Any], width: int) -> NDArray[Any]:
    """(rows, columns) → (rows, groups, width); a ragged last group is filled up with zeros."""
    rows, columns = values.shape
    missing = -columns % width
    if missing:
        values = np.concatenate([values, np.zeros((rows, missing), values.dtype)], axis=1)
    return values.reshape(rows, (columns + missing) // width, width)


def ungrouped(values: NDArray[Any], columns: int) -> NDArray[Any]:
    """The inverse of :func:`grouped`."""
    rows, groups, width = values.shape
    return values.reshape(rows, groups * width)[:, :columns]


def spread(parameter: NDArray[Any], width: int, columns: int) -> NDArray[Any]:
    """(rows, groups) → (rows, columns) or what broadcasts to it: each column its group's value."""
    if parameter.shape[1] == 1:
        return parameter
    return np.repeat(parameter, width, axis=1)[:, :columns]


@twin
def largest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest magnitude of each group: (rows, groups, width) → (rows, groups)."""
    # the magnitude of −0 is 0
    found = np.maximum(values.max(axis=2, initial=0), -values.min(axis=2, initial=0))
    return np.asarray(np.abs(found), np.float32)


@twin
def extremes(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The smallest and the largest of each group and 0: (rows, groups, width) → (rows, groups)."""
    low, high = values.min(axis=2, initial=0), values.max(axis=2, initial=0)
    return low + np.float32(0), high + np.float32(0)  # no −0


@twin
def ends(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The smallest and the largest of each group: (rows, groups, width ≥ 1) → (rows, groups)."""
    low, high = values.min(axis=2), values.max(axis=2)
    return low + np.float32(0), high + np.float32(0)  # no −0


def deviations(
    values: NDArray[np.float32], mean: NDArray[np.float32], kept: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """What groups (rows, groups, width) differ from their means (rows, groups), in float32.

    Zero where ``kept`` is false; infinite where float32 has no such number, which no scale holds.
    """
    with np.errstate(over="ignore"):
        moved = values - mean[:, :, None]
    return moved if kept is None else np.where(kept, moved, np.float32(0))
