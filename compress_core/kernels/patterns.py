"""N:M masks as ranks: which of the C(M, N) patterns a group of M columns has.

The patterns of a width are ordered as integers whose bit j says that column j is kept.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def _patterns(kept: int, width: int) -> NDArray[np.uint32]:
    every = np.arange(1 << width, dtype=np.uint32)
    chosen: NDArray[np.uint32] = every[np.bitwise_count(every) == kept]
    return chosen


@cache
def _ranks(kept: int, width: int) -> NDArray[np.uint32]:
    table = np.zeros(1 << width, dtype=np.uint32)
    known = _patterns(kept, width)
    table[known] = np.arange(len(known), dtype=np.uint32)
    return table


def ranks(kept_mask: NDArray[np.bool_], kept: int) -> NDArray[np.uint32]:
    """Ranks of groups: (…, width) booleans, each with exactly ``kept`` true → (…)."""
    width = kept_mask.shape[-1]
    weights = np.uint32(1) << np.arange(width, dtype=np.uint32)
    return _ranks(kept, width)[kept_mask @ weights]


def masks(rank: NDArray[np.uint32], kept: int, width: int) -> NDArray[np.bool_]:
    """The inverse of :func:`ranks`; every rank must be below C(width, kept)."""
    found = _patterns(kept, width)[rank]
    return (found[..., None] >> np.arange(width, dtype=np.uint32) & np.uint32(1)).astype(np.bool_)
