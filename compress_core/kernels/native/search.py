"""Twins of :mod:`compress_core.kernels.search`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import (
    ARRAY,
    DTYPES,
    FLOAT,
    INT,
    address,
    function,
)
from compress_core.kernels.native.steps import LADDER, MATRIX, as_it_lies, matrix, rungs
from compress_core.kernels.search import TALLIED_BITS, factors, gap_of
from compress_core.kernels.steps import integer_ladder

Floats = NDArray[np.float32]

_TRIED = (ARRAY, INT, FLOAT)
_symmetric = function("modelopt_symmetric_scale", *MATRIX, *_TRIED, FLOAT, INT, INT, ARRAY)
_tallied = function("modelopt_tallied_scale", *MATRIX, *LADDER, FLOAT, INT, INT, ARRAY)
_asymmetric = function("modelopt_asymmetric_scale", *MATRIX, *_TRIED, FLOAT, INT, ARRAY, ARRAY)


def symmetric_scale(
    values: Floats, scale: Floats, bits: int, dtype: str, *, negative: bool
) -> Floats:
    """See :func:`compress_core.kernels.search.symmetric_scale`."""
    found, values, half = np.array(scale, np.float32), as_it_lies(values), 1 << (bits - 1)
    settled = half, int(negative), DTYPES[dtype], address(found)
    if bits <= TALLIED_BITS:
        _tallied(*matrix(values), *rungs(integer_ladder(bits)), *settled)
    else:
        shares = factors(bits)
        _symmetric(*matrix(values), address(shares), len(shares), gap_of(shares), *settled)
    return found


def asymmetric_scale(
    values: Floats, scale: Floats, zero: Floats, bits: int, dtype: str
) -> tuple[Floats, Floats]:
    """See :func:`compress_core.kernels.search.asymmetric_scale`."""
    values, shares = as_it_lies(values), factors(bits)
    found, moved = np.array(scale, np.float32), np.array(zero, np.float32)
    _asymmetric(
        *matrix(values),
        address(shares),
        len(shares),
        gap_of(shares),
        2**bits - 1,
        DTYPES[dtype],
        address(found),
        address(moved),
    )
    return found, moved
