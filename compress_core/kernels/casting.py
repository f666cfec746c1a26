"""Casts: every element rounded once, half to even, to the nearest number of another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.errors import UnsupportedError
from compress_core.kernels import floats


def cast(raw: NDArray[Any], code: str, to: str) -> NDArray[Any]:
    """Elements of ``code`` in the storage dtype of ``to``; both are floats of 16 bits or more.

    NaN stays NaN (its payload may not), an infinity an infinity.

    :raises UnsupportedError: a finite number is so large that an infinity is nearest.
    """
    if code == to:
        return raw
    wide = floats.native(raw, code)
    rounded = _rounded(wide, to)
    if floats.has_nonfinite(rounded, to):
        beyond = wide[np.isfinite(wide) & ~np.isfinite(floats.native(rounded, to))]
        if beyond.size:
            largest = float(np.abs(beyond).max())
            raise UnsupportedError(f"{largest:.6g} is beyond the range of {to}")
    return rounded


def _rounded(wide: NDArray[Any], to: str) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):  # invalid: a signalling NaN
        if to == "F16":
            return wide.astype(np.float16).view(np.uint16)
        if to == "BF16":
            return floats.to_bf16(wide if wide.dtype == np.float32 else _to_odd(wide))
        return wide.astype(np.dtype(f"f{4 if to == 'F32' else 8}"))


def _to_odd(wide: NDArray[np.float64]) -> NDArray[np.float32]:
    """Float64 as float32 that a narrower dtype can be rounded from as if it were float64.

    What float32 does not hold becomes its neighbour with an odd last bit, which is never halfway
    between two narrower numbers (rounding to odd: Boldo, Melquiond, "Emulation of a FMA and
    correctly rounded sums: proved algorithms using rounding to odd", 2008).
    """
    near = wide.astype(np.float32)
    with np.errstate(over="ignore"):
        beyond = np.abs(near.astype(np.float64)) > np.abs(wide)
    bits = near.view(np.uint32)
    bits = bits - beyond.astype(np.uint32)  # towards zero; of infinity, the largest number
    inexact = np.isfinite(wide) & (near.astype(np.float64) != wide)
    odd: NDArray[np.uint32] = bits | inexact.astype(np.uint32)
    return odd.view(np.float32)
