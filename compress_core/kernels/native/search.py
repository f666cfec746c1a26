"""Twins of :mod:`compress_core.kernels.search`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import (
    ARRAY,
    COUNT,
    DTYPES,
    FLOAT,
    INT,
    address,
    function,
)
from compress_core.kernels.search import factors, gap_of

Floats = NDArray[np.float32]


_MATRIX = (ARRAY, COUNT, COUNT, COUNT, COUNT)
_TRIED = (ARRAY, INT, FLOAT)
_symmetric = function("modelopt_symmetric_scale", *_MATRIX, *_TRIED, FLOAT, INT, INT, ARRAY)
_asymmetric = function("modelopt_asymmetric_scale", *_MATRIX, *_TRIED, FLOAT, INT, ARRAY, ARRAY)


def symmetric_scale(
    values: Floats, scale: Floats, bits: int, dtype: str, *, negative: bool
) -> Floats:
    """See :func:`compress_core.kernels.search.symmetric_scale`."""
    shares, found = factors(bits), np.array(scale, np.float32)
    values = _as_it_lies(values)
    _symmetric(
        *_matrix(values),
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
    values, shares = _as_it_lies(values), factors(bits)
    found, moved = np.array(scale, np.float32), np.array(zero, np.float32)
    _asymmetric(
        *_matrix(values),
        address(shares),
        len(shares),
        gap_of(shares),
        2**bits - 1,
        DTYPES[dtype],
        address(found),
        address(moved),
    )
    return found, moved


def _as_it_lies(values: Floats) -> Floats:
    """float32 that is contiguous in one order or the other: transposed arrays are not copied."""
    return np.asarray(values, np.float32, order="F" if values.flags.f_contiguous else "C")


def _matrix(values: Floats) -> tuple[Any, ...]:
    """The arguments of ``_MATRIX``."""
    along, across = (stride // values.itemsize for stride in values.strides)
    return address(values), along, across, *values.shape
