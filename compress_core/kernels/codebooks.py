"""Number formats that are a table of values: NF4, E2M1, and −1, 0, 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NF4 = np.array(
    [
        -1.0,
        -0.6961928009986877,
        -0.5250730514526367,
        -0.39491748809814453,
        -0.28444138169288635,
        -0.18477343022823334,
        -0.09105003625154495,
        0.0,
        0.07958029955625534,
        0.16093020141124725,
        0.24611230194568634,
        0.33791524171829224,
        0.44070982933044434,
        0.5626170039176941,
        0.7229568362236023,
        1.0,
    ],
    np.float32,
)
"""Quantiles of a normal distribution, scaled to ±1 (Dettmers et al. 2023, QLoRA, appendix E)."""

NF4_ZERO = 7
"""The code of 0 in :data:`NF4`."""

NF4_BOUNDS = (NF4[1:] + NF4[:-1]) / np.float32(2)
"""The middles between neighbours, as bitsandbytes computes them: in float32."""

E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
"""Magnitudes of the codes 0 … 7 of FP4 (OCP Microscaling Formats 1.0, 5.3.3); bit 3 is the sign."""

E2M1_MAX = np.float32(6)

_E2M1_VALUES = np.concatenate([E2M1, -E2M1])
# the middles between magnitudes: ties go to the code whose last bit is 0
_E2M1_BELOW = (0.25, 1.25, 2.5, 5.0)
_E2M1_ABOVE = (0.75, 1.75, 3.5)


def nf4_codes(units: Floats) -> NDArray[np.uint8]:
    """Codes of the nearest values of :data:`NF4`; the lower one where two are as near."""
    codes = np.zeros(units.shape, np.uint8)
    for bound in NF4_BOUNDS:
        codes += units > bound
    return codes


def nf4_values(codes: NDArray[np.uint8]) -> Floats:
    """Values of codes; only the low four bits count."""
    return np.take(NF4, codes & np.uint8(15))


def e2m1_codes(steps: Floats) -> NDArray[np.uint8]:
    """Codes of the nearest E2M1 numbers, half to even; beyond ±6 it is ±6.

    What is below zero keeps its sign also where it becomes 0, as in IEEE 754.
    """
    magnitudes = np.abs(steps)
    codes = (steps < 0).astype(np.uint8)
    codes <<= np.uint8(3)
    for bound in _E2M1_BELOW:
        codes += magnitudes > np.float32(bound)
    for bound in _E2M1_ABOVE:
        codes += magnitudes >= np.float32(bound)
    return codes


def e2m1_values(codes: NDArray[np.uint8]) -> Floats:
    """Values of codes; only the low four bits count."""
    return np.take(_E2M1_VALUES, codes & np.uint8(15))


def ternary_codes(steps: Floats) -> NDArray[np.uint8]:
    """Codes 0, 1, 2 of the nearest of −1, 0, 1; half to even."""
    return (np.clip(np.rint(steps), -1, 1) + np.float32(1)).astype(np.uint8)


def ternary_values(codes: NDArray[np.uint8]) -> Floats:
    """Values of codes: −1, 0, 1, and what follows for codes that are none of the three."""
    return codes.astype(np.float32) - np.float32(1)
