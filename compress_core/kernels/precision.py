"""Hidden precision: wide floats whose values a narrower dtype holds just as well."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NARROWER = {"F32": ("BF16", "F16"), "F64": ("BF16", "F16", "F32")}
"""Code → dtypes that may hold the same values in less room, the narrowest first."""

_GLANCE = 1024


def fitting(values: NDArray[Any], code: str) -> tuple[str, ...]:
    """Those of ``NARROWER[code]`` that hold every value exactly, −0 and infinities included.

    NaN fits everywhere; its payload may not. ``values`` are float32 or float64.
    """
    return tuple(narrow for narrow in NARROWER[code] if fits(values, narrow))


def fits(values: NDArray[Any], code: str) -> bool:
    """Whether BF16, F16 or F32 (``code``) holds every value exactly; see :func:`fitting`."""
    # most tensors that do not fit show it at once
    return _fits(values[:_GLANCE], code) and _fits(values, code)


def _fits(values: NDArray[Any], code: str) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):  # invalid: a signalling NaN
        kept = values == _narrowed(values, code)
    return bool((kept | np.isnan(values)).all())


def _narrowed(values: NDArray[Any], code: str) -> NDArray[Any]:
    if code == "F16":
        return values.astype(np.float16)
    single = values.astype(np.float32)
    if code == "F32":
        return single
    return (single.view(np.uint32) & np.uint32(0xFFFF_0000)).view(np.float32)
