"""The 8-bit dynamic map: 256 numbers from −0.993 to 1, the closer the nearer they are to zero.

It is the signed map of bitsandbytes (0.50, ``create_dynamic_map``; Dettmers 2016, 8-Bit
Approximations for Parallelism in Deep Learning): in each of seven decades 2^i numbers of either
sign, and 0 and 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_DECADES = 7
_BINS = 65535


def _middles(parts: int) -> Floats:
    """The middles of ``parts`` equal parts of [0.1, 1].

    Bounds count from the nearer end of the interval and are rounded once, as PyTorch's ``linspace``
    does it by fused operations; float64 holds the products and sums exactly.
    """
    low, high = np.float32(0.1), np.float32(1)
    step = float((high - low) / np.float32(parts))
    place = np.arange(parts + 1, dtype=np.float64)
    lower = place < (parts + 1) // 2
    exact = np.where(lower, float(low) + step * place, 1 - step * (parts - place))
    bounds = exact.astype(np.float32)
    return (bounds[1:] + bounds[:-1]) / np.float32(2)


def _map() -> Floats:
    decades = [_middles(1 << i) * np.float32(10.0 ** (i + 1 - _DECADES)) for i in range(_DECADES)]
    above = np.concatenate(decades)
    return np.sort(np.concatenate([above, -above, np.array([0, 1], np.float32)]))


DYNAMIC = _map()
"""What the codes 0 … 255 stand for, rising; 127 is 0, 255 is 1."""


def dynamic_values(codes: NDArray[np.uint8]) -> Floats:
    """What codes stand for."""
    return np.take(DYNAMIC, codes)


def dynamic_codes(units: Floats) -> NDArray[np.uint8]:
    """Codes of the nearest numbers of :data:`DYNAMIC`; the lower one where two are as near."""
    below = np.searchsorted(DYNAMIC, units, side="right") - 1
    below = np.clip(below, 0, len(DYNAMIC) - 2)
    nearer = units - DYNAMIC[below] > DYNAMIC[below + 1] - units
    return (below + nearer).astype(np.uint8)


def binned_codes(units: Floats) -> NDArray[np.uint8]:
    """Codes as bitsandbytes (0.50) gives them on a processor: of the middle of a value's bin.

    There are 65,536 bins, from −1 to 1. Its kernels for graphics cards take the nearest number.
    """
    half = np.float32(0.5)
    bins = np.trunc((np.clip(units, -1, 1) + np.float32(1)) * half * np.float32(_BINS) + half)
    return dynamic_codes(bins / np.float32(_BINS) * np.float32(2) - np.float32(1))


def largest_of_blocks(values: Floats, size: int) -> Floats:
    """For each value the largest magnitude in its block of ``size``, which run through the
    flattened array.
    """
    flat = np.abs(values).reshape(-1)
    padded = np.zeros(-(-flat.size // size) * size, np.float32)
    padded[: flat.size] = flat
    largest = padded.reshape(-1, size).max(axis=1, initial=0)
    return np.repeat(largest, size)[: flat.size].reshape(values.shape)
