"""Twins of :mod:`compress_core.kernels.groups`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import ARRAY, COUNT, address, floats, function

_largest = function("modelopt_largest", ARRAY, COUNT, COUNT, ARRAY)
_extremes = function("modelopt_extremes", ARRAY, COUNT, COUNT, ARRAY, ARRAY)
_ends = function("modelopt_ends", ARRAY, COUNT, COUNT, ARRAY, ARRAY)


def largest(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """See :func:`compress_core.kernels.groups.largest`."""
    values = floats(values)
    rows, groups, width = values.shape
    found = np.empty((rows, groups), np.float32)
    _largest(address(values), found.size, width, address(found))
    return found


def extremes(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """See :func:`compress_core.kernels.groups.extremes`."""
    return _both(_extremes, values)


def ends(
    values: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """See :func:`compress_core.kernels.groups.ends`."""
    return _both(_ends, values)


def _both(
    call: Callable[..., None], values: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    values = floats(values)
    rows, groups, width = values.shape
    low, high = np.empty((rows, groups), np.float32), np.empty((rows, groups), np.float32)
    call(address(values), low.size, width, address(low), address(high))
    return low, high
