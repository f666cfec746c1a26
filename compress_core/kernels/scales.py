"""Scales and means rounded to the dtype in which they are stored, as float32 numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.errors import UnsupportedError
from compress_core.kernels import floats

# The smallest scale: the least positive F16; the least *normal* BF16 and F32, below which a scale
# has few bits or, divided by, overflows. It is never 0, so zeros stay zeros.
SMALLEST = {
    "F16": np.float32(2.0**-24),
    "BF16": np.float32(2.0**-126),
    "F32": np.float32(2.0**-126),
}
LARGEST = {"F16": floats.F16_MAX, "BF16": floats.BF16_MAX, "F32": floats.F32_MAX}

# only distances from a mean are larger than float32, and the lowest value of symmetric codes
_BEYOND_FLOAT32 = {
    "scale": "pass --center none",
    "mean": "pass --center none",
    "bias": "pass --scheme affine",
}


def stored_scale(
    scale: NDArray[np.float32], dtype: str, *, upwards: bool = False, of_zero: float = 1
) -> NDArray[np.float32]:
    """``scale`` as ``dtype`` holds it: rounded half to even, or ``upwards``; floored, never to
    zero.

    :param of_zero: what a scale of exactly 0 becomes; 1 where codes are quotients by the scale.

    :raises UnsupportedError: a scale beyond the range of ``dtype``.
    """
    rounded = _rounded(scale, dtype, "scale")
    if upwards and dtype != "F32":
        low = rounded < scale
        raised = floats.narrow(rounded, dtype) + low.astype(np.uint16)
        rounded = _checked(floats.widen(raised, dtype), dtype, "scale")
    floored = np.maximum(rounded, SMALLEST[dtype])
    return np.where(scale == 0, np.float32(of_zero), floored)


def nearest_scale(scale: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """The number of ``dtype`` nearest to a scale of either sign that is not 0.

    Its magnitude is floored as by :func:`stored_scale`, and saturates.
    """
    magnitude = np.clip(np.abs(scale), SMALLEST[dtype], LARGEST[dtype])
    if dtype != "F32":
        magnitude = floats.widen(floats.narrow(magnitude, dtype), dtype)
    return np.asarray(np.copysign(magnitude, scale), np.float32)


def microscale(largest: NDArray[np.float32], exponent: int) -> NDArray[np.float32]:
    """The power of two for groups (rows, groups) of narrow floats: at least 2⁻¹²⁷.

    Its exponent is that of the largest magnitude, or the next where the mantissa is 1.75 or more,
    minus ``exponent``.

    :param exponent: that of the largest narrow float, whose mantissa is 1.5 or 1.75.
    """
    bits = np.ascontiguousarray(largest).view(np.uint32)
    exponents = (bits + np.uint32(1 << 21)) >> np.uint32(23)
    raw = np.maximum(exponents.astype(np.int32) - exponent, 0).astype(np.uint8)
    return floats.widen(raw, "F8_E8M0")


def covering_microscale(largest: NDArray[np.float32], most: np.float32) -> NDArray[np.float32]:
    """The least power of two whose product with ``most`` reaches the largest magnitude of a group.

    As MLX (0.32, ``quantize``) computes it, 2^⌈log2(largest / most)⌉ in float32: where the quotient
    is a power of two but for its last bits, it is that power. 1 for a group of zeros.
    """
    ratio = (largest / most).astype(np.float64)
    logarithm = np.log2(np.where(ratio == 0, 1.0, ratio)).astype(np.float32)
    exponents = np.clip(np.ceil(logarithm), -127, 127).astype(np.int32)
    return floats.widen((exponents + 127).astype(np.uint8), "F8_E8M0")


def stored_mean(mean: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """``mean`` as ``dtype`` holds it.

    :raises UnsupportedError: a mean beyond the range of ``dtype``.
    """
    return _rounded(mean, dtype, "mean")


def stored_bias(bias: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """``bias`` as ``dtype`` holds it.

    :raises UnsupportedError: a bias beyond the range of ``dtype``.
    """
    return _rounded(bias, dtype, "bias")


def nearest_bias(bias: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """The number of ``dtype`` nearest to a bias; it saturates."""
    clipped = np.clip(bias, -LARGEST[dtype], LARGEST[dtype])
    return clipped if dtype == "F32" else floats.widen(floats.narrow(clipped, dtype), dtype)


def _rounded(values: NDArray[np.float32], dtype: str, noun: str) -> NDArray[np.float32]:
    if dtype == "F32":
        return _checked(values, dtype, noun)
    return floats.widen(floats.narrow(_checked(values, dtype, noun), dtype), dtype)


def _checked(values: NDArray[np.float32], dtype: str, noun: str) -> NDArray[np.float32]:
    if values.size and not np.abs(values).max() <= LARGEST[dtype]:
        hint = _BEYOND_FLOAT32[noun] if dtype == "F32" else "pass --scale-dtype f32"
        raise UnsupportedError(f"a {noun} of its groups does not fit {dtype}", hint=hint)
    return values
