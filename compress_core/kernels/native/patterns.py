"""Twins of :mod:`compress_core.kernels.patterns`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import ARRAY, COUNT, INT, address, function
from compress_core.kernels.patterns import patterns_of, ranks_of

_ranks = function("modelopt_ranks", ARRAY, COUNT, INT, ARRAY, ARRAY)
_masks = function("modelopt_masks", ARRAY, COUNT, INT, ARRAY, ARRAY)


def ranks(kept_mask: NDArray[np.bool_], kept: int) -> NDArray[np.uint32]:
    """See :func:`compress_core.kernels.patterns.ranks`."""
    *shape, width = kept_mask.shape
    found = np.empty(shape, np.uint32)
    mask, table = np.ascontiguousarray(kept_mask), ranks_of(kept, width)
    _ranks(address(mask), found.size, width, address(table), address(found))
    return found


def masks(rank: NDArray[np.uint32], kept: int, width: int) -> NDArray[np.bool_]:
    """See :func:`compress_core.kernels.patterns.masks`."""
    found, patterns = np.empty((*rank.shape, width), np.bool_), patterns_of(kept, width)
    if rank.max(initial=0) >= len(patterns):
        raise IndexError("a rank that no pattern has")
    rank = np.ascontiguousarray(rank, np.uint32)
    _masks(address(rank), rank.size, width, address(patterns), address(found))
    return found
