"""Codes on a uniform grid: values to the nearest of them, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.groups import grouped, ungrouped
from compress_core.kernels.twins import twin


@twin
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
    """``rint((value − mean) / scale + before) + after``, from ``low`` to ``high``, in float32.

    :param values: (rows, columns), no NaN; ``width`` columns share ``scale``, ``mean``, ``before``
        and ``after``, which broadcast to (rows, groups).
    :param before: a float32; it decides ties. ``after``: a whole number, below 2¹⁶ as all codes.
    """
    work = grouped(values, width)
    if mean is not None:
        work = work - mean[:, :, None]
    with np.errstate(over="ignore"):
        steps = work / scale[:, :, None]
    steps += _of_columns(before)
    np.rint(steps, out=steps)
    steps += _of_columns(after)
    np.clip(steps, np.float32(low), np.float32(high), out=steps)
    return ungrouped(steps.astype(np.uint8), values.shape[1])


@twin
def integer_values(
    codes: NDArray[np.uint8],
    width: int,
    scale: NDArray[np.float32],
    *,
    zero: Any,
    mean: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """``(code − zero) · scale [+ mean]`` in float32: (rows, columns), as in :func:`integer_codes`.

    Where scales are negative, zero times one of them is 0 and not −0.
    """
    values = grouped(codes, width).astype(np.float32)
    values -= _of_columns(zero)
    with np.errstate(over="ignore"):
        values *= scale[:, :, None]
        if mean is not None:
            values += mean[:, :, None]
        elif (scale < 0).any():
            values += np.float32(0)
    return ungrouped(values, codes.shape[1])


def _of_columns(parameter: Any) -> NDArray[np.float32]:
    """A parameter of groups that broadcasts over their columns."""
    return np.asarray(parameter, np.float32)[..., None]
