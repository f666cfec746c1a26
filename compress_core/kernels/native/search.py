"""Twins of :mod:`compress_core.kernels.search`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import (
    ARRAY,
    COUNT,
    DTYPES,
    FLOAT,
    INT,
    address,
    floats,
    function,
)
from compress_core.kernels.search import factors, gap_of

Floats = NDArray[np.float32]


_TRIED = (ARRAY, INT, FLOAT)
_symmetric = function(
    "modelopt_symmetric_scale", ARRAY, COUNT, COUNT, *_TRIED, FLOAT, INT, INT, ARRAY
)
_asymmetric = function(
    "modelopt_asymmetric_scale", ARRAY, COUNT, COUNT, *_TRIED, FLOAT, INT, ARRAY, ARRAY
)


def symmetric_scale(
    values: Floats, scale: Floats, bits: int, dtype: str, *, negative: bool
) -> Floats:
    """See :func:`compress_core.kernels.search.symmetric_scale`."""
    values, shares, found = floats(values), factors(bits), np.array(scale, np.float32)
    _symmetric(
        address(values),
        *values.shape,
        address(shares),
        len(shares),
        gap_of(shares),
        1 << (bits - 1),
        int(negative),
        DTYPES[dtype],
        address(found),
    )
    return found


def asymmetric_scale(
    values: Floats, scale: Floats, zero: Floats, bits: int, dtype: str
) -> tuple[Floats, Floats]:
    """See :func:`compress_core.kernels.search.asymmetric_scale`."""
    values, shares = floats(values), factors(bits)
    found, moved = np.array(scale, np.float32), np.array(zero, np.float32)
    _asymmetric(
        address(values),
        *values.shape,
        address(shares),
        len(shares),
        gap_of(shares),
        2**bits - 1,
        DTYPES[dtype],
        address(found),
        address(moved),
    )
    return found, moved
