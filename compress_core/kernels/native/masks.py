"""Twins of :mod:`compress_core.kernels.masks`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import ARRAY, COUNT, address, function

_SIZES = (1, 2, 4, 8)
_zeroed = {n: function(f"modelopt_zeroed_{n}", ARRAY, ARRAY, COUNT, ARRAY) for n in _SIZES}
_compacted = {n: function(f"modelopt_compacted_{n}", ARRAY, ARRAY, COUNT, ARRAY) for n in _SIZES}


def zeroed(array: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """See :func:`compress_core.kernels.masks.zeroed`."""
    found = np.empty(array.shape, array.dtype)
    array, mask = np.ascontiguousarray(array), np.ascontiguousarray(mask)
    _zeroed[array.itemsize](address(array), address(mask), array.size, address(found))
    return found


def compacted(array: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """See :func:`compress_core.kernels.masks.compacted`."""
    array, mask = np.ascontiguousarray(array), np.ascontiguousarray(mask)
    found = np.empty(array.size - int(np.count_nonzero(mask)) + 1, array.dtype)
    _compacted[array.itemsize](address(array), address(mask), array.size, address(found))
    return found[:-1]
