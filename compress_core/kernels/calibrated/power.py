"""The largest eigenvalue of a Gram matrix, which bounds the length of a step."""

from __future__ import annotations

import numpy as np

from compress_core.kernels.calibrated.problem import Floats

_TURNS = 30


def largest_eigenvalue(gram: Floats) -> np.float32:
    """A little above the largest eigenvalue, by the power method."""
    vector = np.ones(len(gram), dtype=np.float32)
    norm = np.float32(1)
    for _ in range(_TURNS):
        vector = gram @ vector
        norm = np.float32(np.sqrt(np.sum(np.square(vector, dtype=np.float64))))
        vector /= norm
    return np.float32(1.05) * norm
