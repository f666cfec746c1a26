"""Elements of an array by a mask of those that are pruned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.twins import twin


@twin
def zeroed(array: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """``array`` with zeros where ``mask`` of the same shape is true; numbers or bit patterns."""
    return np.where(mask, array.dtype.type(0), array)


@twin
def compacted(array: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[Any]:
    """The elements of ``array`` where ``mask`` of the same shape is false, in row-major order."""
    return np.asarray(array[~mask])
