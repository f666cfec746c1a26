"""Twins of :mod:`compress_core.kernels.integers`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import (
    ARRAY,
    COUNT,
    FLOAT,
    address,
    floats,
    function,
    of_groups,
)

_SHAPE = (COUNT, COUNT, COUNT)
_codes = function(
    "modelopt_integer_codes", ARRAY, *_SHAPE, ARRAY, ARRAY, ARRAY, ARRAY, FLOAT, FLOAT, ARRAY
)
_values = function("modelopt_integer_values", ARRAY, *_SHAPE, ARRAY, ARRAY, ARRAY, FLOAT, ARRAY)


def integer_codes(
    values: NDArray[np.float32],
    width: int,
    scale: NDArray[np.float32],
    *,
    mean: NDArray[np.float32] | None = None,
    before: Any = 0,
    after: Any = 0,
    low: float,
    high: float,
) -> NDArray[np.uint8]:
    """See :func:`compress_core.kernels.integers.integer_codes`."""
    rows, columns = values.shape
    values, codes = floats(values), np.empty((rows, columns), np.uint8)
    shape = rows, -(-columns // width)
    mean = None if mean is None else of_groups(mean, *shape)
    scale, before, after = (of_groups(one, *shape) for one in (scale, before, after))
    figures = (address(one) for one in (mean, scale, before, after))
    _codes(address(values), rows, columns, width, *figures, low, high, address(codes))
    return codes


def integer_values(
    codes: NDArray[np.uint8],
    width: int,
    scale: NDArray[np.float32],
    *,
    zero: Any,
    mean: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """See :func:`compress_core.kernels.integers.integer_values`."""
    rows, columns = codes.shape
    codes, values = np.ascontiguousarray(codes, np.uint8), np.empty((rows, columns), np.float32)
    shape = rows, -(-columns // width)
    mean = None if mean is None else of_groups(mean, *shape)
    zero, scale = (of_groups(one, *shape) for one in (zero, scale))
    raised = 0.0 if (scale < 0).any() else -0.0
    figures = (address(one) for one in (zero, scale, mean))
    _values(address(codes), rows, columns, width, *figures, raised, address(values))
    return values
