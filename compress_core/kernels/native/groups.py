"""Twins of :mod:`compress_core.kernels.groups`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import ARRAY, COUNT, address, floats, function

_largest = function("modelopt_largest", ARRAY, COUNT, COUNT, ARRAY)
_extremes = function("modelopt_extremes", ARRAY, COUNT, COUNT, ARRAY, ARRAY)


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
    values = floats(values)
    rows, groups, width = values.shape
    low, high = np.empty((rows, groups), np.float32), np.empty((rows, groups), np.float32)
    _extremes(address(values), low.size, width, address(low), address(high))
    return low, high
