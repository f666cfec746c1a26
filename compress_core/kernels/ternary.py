"""Ternary codes of least squared error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def ternary_scale(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The best scale of codes −1, 0, 1 for each group: (rows, groups, width) → (rows, groups).

    If the k largest magnitudes are coded, the best scale is their mean, which takes (their sum)²/k
    off the energy; all k are tried. Zeros may stand for elements that do not count. 0 where all
    are.
    """
    magnitudes = -np.sort(-np.abs(values), axis=2)
    sums = np.cumsum(magnitudes, axis=2, dtype=np.float64)
    counts = np.arange(1, values.shape[2] + 1, dtype=np.float64)
    best = np.argmax(np.square(sums) / counts, axis=2)
    total = np.take_along_axis(sums, best[:, :, None], axis=2)[:, :, 0]
    return np.asarray(total / (best + 1), dtype=np.float32)
