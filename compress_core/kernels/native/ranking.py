"""Twins of :mod:`compress_core.kernels.ranking`."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import ARRAY, COUNT, INT, address, function
from compress_core.kernels.twins import SPECIFICATIONS

_KEY = ctypes.c_uint64


def _of_keys(name: str, *arguments: Any) -> dict[int, Callable[..., None]]:
    """Bytes of a key → the function for such keys."""
    return {size: function(f"modelopt_{name}_{8 * size}", *arguments) for size in (2, 4, 8)}


_below = _of_keys("below", ARRAY, COUNT, _KEY, COUNT, ARRAY)
_smallest = _of_keys("smallest", ARRAY, COUNT, COUNT, COUNT, ARRAY)
_of_groups = _of_keys("of_groups", ARRAY, COUNT, INT, INT, ARRAY)
_histogram = _of_keys("histogram", ARRAY, COUNT, INT, _KEY, ARRAY)


def below(keys: NDArray[Any], bound: int, skipped: int) -> NDArray[np.bool_]:
    """See :func:`compress_core.kernels.ranking.below`."""
    keys, taken = np.ascontiguousarray(keys), np.empty(keys.shape, np.bool_)
    _below[keys.itemsize](address(keys), keys.size, bound, skipped, address(taken))
    return taken


def smallest(keys: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """See :func:`compress_core.kernels.ranking.smallest`."""
    rows, columns = keys.shape
    if not 0 < k < columns:
        other: NDArray[np.bool_] = SPECIFICATIONS["ranking.smallest"](keys, k)
        return other
    keys, taken = np.ascontiguousarray(keys), np.empty(keys.shape, np.bool_)
    _smallest[keys.itemsize](address(keys), rows, columns, k, address(taken))
    return taken


def of_groups(keys: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """See :func:`compress_core.kernels.ranking.of_groups`."""
    width = keys.shape[2]
    if not 0 < k < width <= 16:
        other: NDArray[np.bool_] = SPECIFICATIONS["ranking.of_groups"](keys, k)
        return other
    keys, taken = np.ascontiguousarray(keys), np.empty(keys.shape, np.bool_)
    groups = keys.shape[0] * keys.shape[1]
    _of_groups[keys.itemsize](address(keys), groups, width, k, address(taken))
    return taken


def digit_histogram(keys: NDArray[Any], width: int, prefix: int, known: int) -> NDArray[np.int64]:
    """See :func:`compress_core.kernels.ranking.digit_histogram`."""
    keys, counts = np.ascontiguousarray(keys), np.zeros(1 << 16, np.int64)
    shift = width - known - 16
    _histogram[keys.itemsize](address(keys), keys.size, shift, prefix, address(counts))
    return counts
