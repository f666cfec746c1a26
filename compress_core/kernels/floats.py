"""Floating-point formats as bit patterns: widen, round back, compare, find what is not finite.

Raw arrays hold an element's bits in its storage dtype (``DType.storage``): unsigned integers for
BF16, F16 and FP8, native floats for F32 and F64.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.twins import twin

F32_MAX = np.finfo(np.float32).max
BF16_MAX = np.uint32(0x7F7F0000).view(np.float32)
F16_MAX = np.float32(65504.0)

FP8 = {
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}
"""Formats of 8 bits → their dtypes in ml_dtypes."""


@cache
def fp8_values(code: str) -> NDArray[np.float32]:
    """What each of the 256 patterns of an 8-bit format stands for."""
    import ml_dtypes

    patterns = np.arange(256, dtype=np.uint8)
    values: NDArray[np.float32] = patterns.view(getattr(ml_dtypes, FP8[code])).astype(np.float32)
    return values


@twin
def widen(raw: NDArray[Any], code: str) -> NDArray[np.float32]:
    """Values of ``raw`` as a new float32 array; exact for every format but F64, which is rounded.

    F64 beyond the range of float32 becomes infinite: see :func:`has_nonfinite`.
    """
    if code == "BF16":
        wide = raw.astype(np.uint32)
        wide <<= np.uint32(16)
        return wide.view(np.float32)
    if code == "F16":
        return raw.view(np.float16).astype(np.float32)
    if code in FP8:
        values: NDArray[np.float32] = fp8_values(code)[raw]
        return values
    with np.errstate(over="ignore"):
        rounded: NDArray[np.float32] = raw.astype(np.float32)
    return rounded


def native(raw: NDArray[Any], code: str) -> NDArray[Any]:
    """Values of ``raw`` in a dtype that NumPy calculates with, exactly: float64 for F64, else
    float32. F32 and F64 are not copied.
    """
    return raw if code in ("F32", "F64") else widen(raw, code)


@twin
def narrow(values: NDArray[np.float32], code: str) -> NDArray[Any]:
    """``values`` rounded once, half to even, to the storage dtype of ``code``.

    Saturates: a finite or infinite value beyond the format's range becomes its largest finite
    number, since a decoded weight may exceed the largest original by a rounding. NaN stays NaN.
    """
    if code == "BF16":
        return to_bf16(np.clip(values, -BF16_MAX, BF16_MAX))
    if code == "F16":
        return np.clip(values, -F16_MAX, F16_MAX).astype(np.float16).view(np.uint16)
    if code in FP8:
        return _to_fp8(values, code)
    clipped = np.clip(values, -F32_MAX, F32_MAX)
    if code != "F64":
        return clipped
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        return clipped.astype(np.float64)


def _to_fp8(values: NDArray[np.float32], code: str) -> NDArray[np.uint8]:
    import ml_dtypes

    numbers = fp8_values(code)[np.isfinite(fp8_values(code))]
    clipped = np.clip(values, numbers.min(), numbers.max())
    return np.ascontiguousarray(clipped.astype(getattr(ml_dtypes, FP8[code]))).view(np.uint8)


def to_bf16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """``values`` rounded half to even to BF16; beyond its range they become infinite."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = bits >> np.uint32(16)
    rounded &= np.uint32(1)
    rounded += np.uint32(0x7FFF)
    rounded += bits
    rounded >>= np.uint32(16)
    narrowed = rounded.astype(np.uint16)
    missing = np.isnan(values)
    if missing.any():  # a NaN whose mantissa carries would round into another number
        narrowed[missing] = 0x7FC0
    return narrowed


@twin
def has_nonfinite(raw: NDArray[Any], code: str) -> bool:
    """Whether any element is NaN, infinite, or (F64) beyond the range of float32."""
    if raw.size == 0:
        return False
    if code == "BF16":
        return bool((raw & np.uint16(0x7FFF)).max() >= 0x7F80)
    if code == "F16":
        return bool((raw & np.uint16(0x7FFF)).max() >= 0x7C00)
    if code in FP8:
        return not bool(np.isfinite(fp8_values(code))[raw].all())
    # a comparison with NaN is false, so that one maximum finds NaN too
    return not bool(np.abs(raw).max() <= F32_MAX)


def magnitude_keys(raw: NDArray[Any], code: str, width: int) -> NDArray[Any]:
    """|element| as unsigned integers of ``width`` bits whose order is the order of magnitudes.

    ``width`` is 16 (BF16 or F16 alone), 32 (any format up to F32) or 64 (any format). Wider keys
    order narrower formats exactly as their own do, so formats of one width compare with each other.
    """
    if width == 16:
        return raw & np.uint16(0x7FFF)
    if width == 32:
        return float_keys(widen(raw, code))
    wide = raw if code == "F64" else widen(raw, code).astype(np.float64)
    return wide.view(np.uint64) & np.uint64(0x7FFF_FFFF_FFFF_FFFF)


def count_zeros(raw: NDArray[Any]) -> int:
    """How many floats are zero, whatever their sign; integers of 16 bits are taken as floats."""
    magnitudes = {2: 0x7FFF, 4: 0x7FFF_FFFF, 8: 0x7FFF_FFFF_FFFF_FFFF}[raw.dtype.itemsize]
    keys = np.ascontiguousarray(raw).view(f"<u{raw.dtype.itemsize}")
    # as integers: NumPy counts booleans and integers many times faster than floats
    return raw.size - int(np.count_nonzero(keys & keys.dtype.type(magnitudes)))


def float_keys(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """|value| as 32-bit keys, ordered like the magnitudes."""
    return np.ascontiguousarray(values).view(np.uint32) & np.uint32(0x7FFF_FFFF)
