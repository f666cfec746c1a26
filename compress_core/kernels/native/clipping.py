"""The twin of :mod:`compress_core.kernels.clipping`. Other dtypes go to the NumPy function."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.native.calls import (
    ARRAY,
    COUNT,
    DTYPES,
    INT,
    address,
    function,
    of_groups,
)
from compress_core.kernels.twins import SPECIFICATIONS

Floats = NDArray[np.float32]

_SHAPE = (COUNT, COUNT, COUNT)
_beyond = function("modelopt_beyond", ARRAY, INT, *_SHAPE, ARRAY, ARRAY, ARRAY, ARRAY)


def beyond(
    raw: NDArray[Any],
    code: str,
    width: int,
    ends: tuple[Floats, Floats],
    gone: NDArray[np.bool_] | None,
) -> int:
    """See :func:`compress_core.kernels.clipping.beyond`."""
    if code not in ("BF16", "F16", "F32"):
        return int(SPECIFICATIONS["clipping.beyond"](raw, code, width, ends, gone))
    rows, columns = raw.shape
    groups = -(-columns // width)
    raw, gone = np.ascontiguousarray(raw), None if gone is None else np.ascontiguousarray(gone)
    low, high = (of_groups(end, rows, groups) for end in ends)
    found = np.zeros(1, np.int64)
    given = address(raw), DTYPES[code], rows, columns, width
    _beyond(*given, address(low), address(high), address(gone), address(found))
    return int(found[0])
