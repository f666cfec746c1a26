"""Twins of :mod:`compress_core.kernels.floats`. Dtypes without one go to the NumPy function."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.floats import FP8, fp8_values
from compress_core.kernels.native.calls import ARRAY, COUNT, INT, address, floats, function
from compress_core.kernels.twins import SPECIFICATIONS

_WIDEN = {
    "BF16": function("modelopt_widen_bf16", ARRAY, COUNT, ARRAY),
    "F16": function("modelopt_widen_f16", ARRAY, COUNT, ARRAY),
}
_widen_bytes = function("modelopt_widen_bytes", ARRAY, COUNT, ARRAY, ARRAY)
_NARROW = {
    "BF16": (np.uint16, function("modelopt_narrow_bf16", ARRAY, COUNT, ARRAY)),
    "F16": (np.uint16, function("modelopt_narrow_f16", ARRAY, COUNT, ARRAY)),
    "F8_E4M3": (np.uint8, function("modelopt_narrow_e4m3", ARRAY, COUNT, ARRAY)),
    "F8_E5M2": (np.uint8, function("modelopt_narrow_e5m2", ARRAY, COUNT, ARRAY)),
}

_REACHES = (ARRAY, COUNT, INT, ARRAY)
_NO_NUMBER = {
    "BF16": (0x7F80, function("modelopt_reaches_16", *_REACHES)),
    "F16": (0x7C00, function("modelopt_reaches_16", *_REACHES)),
    "F32": (0x7F800000, function("modelopt_reaches_32", *_REACHES)),
    "F8_E4M3": (0x7F, function("modelopt_reaches_8", *_REACHES)),
    "F8_E5M2": (0x7C, function("modelopt_reaches_8", *_REACHES)),
}
"""Dtype → the least pattern that is no number, infinity or NaN, and what finds it or one beyond."""


def has_nonfinite(raw: NDArray[Any], code: str) -> bool:
    """See :func:`compress_core.kernels.floats.has_nonfinite`."""
    if code not in _NO_NUMBER:
        return bool(SPECIFICATIONS["floats.has_nonfinite"](raw, code))
    least, reaches = _NO_NUMBER[code]
    raw, found = np.ascontiguousarray(raw), np.zeros(1, np.intc)
    reaches(address(raw), raw.size, least, address(found))
    return bool(found[0])


def widen(raw: NDArray[Any], code: str) -> NDArray[np.float32]:
    """See :func:`compress_core.kernels.floats.widen`."""
    if code not in _WIDEN and code not in FP8:
        wide: NDArray[np.float32] = SPECIFICATIONS["floats.widen"](raw, code)
        return wide
    values = np.empty(raw.shape, np.float32)
    raw = np.ascontiguousarray(raw)
    if code in FP8:
        _widen_bytes(address(raw), raw.size, address(fp8_values(code)), address(values))
    else:
        _WIDEN[code](address(raw), raw.size, address(values))
    return values


def narrow(values: NDArray[np.float32], code: str) -> NDArray[Any]:
    """See :func:`compress_core.kernels.floats.narrow`."""
    if code not in _NARROW:
        narrowed: NDArray[Any] = SPECIFICATIONS["floats.narrow"](values, code)
        return narrowed
    dtype, call = _NARROW[code]
    raw = np.empty(values.shape, dtype)
    values = floats(values)
    call(address(values), values.size, address(raw))
    return raw
