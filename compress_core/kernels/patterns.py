"""N:M masks as ranks: which of the C(M, N) patterns a group of M columns has.

The patterns of a width are ordered as integers whose bit j says that column j is kept.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.twins import twin


@cache
def patterns_of(kept: int, width: int) -> NDArray[np.uint32]:
    """Rank → its pattern."""
    every = np.arange(1 << width, dtype=np.uint32)
    chosen: NDArray[np.uint32] = every[np.bitwise_count(every) == kept]
    return chosen


@cache
def ranks_of(kept: int, width: int) -> NDArray[np.uint32]:
    """Pattern → its place among those that keep so many columns, 0 for the others."""
    table = np.zeros(1 << width, dtype=np.uint32)
    known = patterns_of(kept, width)
    table[known] = np.arange(len(known), dtype=np.uint32)
    return table


@twin
def ranks(kept_mask: NDArray[np.bool_], kept: int) -> NDArray[np.uint32]:
    """Ranks of groups: (…, width) booleans, each with exactly ``kept`` true → (…)."""
    width = kept_mask.shape[-1]
    weights = np.uint32(1) << np.arange(width, dtype=np.uint32)
    return ranks_of(kept, width)[kept_mask @ weights]


@twin
def masks(rank: NDArray[np.uint32], kept: int, width: int) -> NDArray[np.bool_]:
    """The inverse of :func:`ranks`; every rank must be below C(width, kept)."""
    found = patterns_of(kept, width)[rank]
    return (found[..., None] >> np.arange(width, dtype=np.uint32) & np.uint32(1)).astype(np.bool_)
