"""Latent weights that are trained through their rounding (Bengio et al. 2013, straight-through)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.calibrated.grid import Grid
from compress_core.kernels.calibrated.power import largest_eigenvalue
from compress_core.kernels.calibrated.problem import Floats

STEPS = 200
_MOMENTUM = np.float32(0.9)


def straight_through(weights: Floats, grid: Grid, gram: Floats) -> Floats:
    """Numbers of the grid that are the best of 200 steps for each row, rounding among them.

    Forward the latent weights V are rounded to W′; the gradient of ½ J with respect to W′,
    (W′ − W) H, is taken for that of V. Gradient descent with momentum, and a rate that falls from
    the inverse of the largest eigenvalue to zero.

    :param gram: the damped Gram matrix.
    """
    rate = 1 / float(largest_eigenvalue(gram))
    latent: Floats = weights
    speed = np.zeros_like(weights)
    best = grid.nearest(latent)
    least = np.full((len(weights), 1), np.inf)
    for step in range(STEPS):
        values = grid.nearest(latent)
        gap: Floats = values - weights
        gradient: Floats = gap @ gram
        loss = _row_sums(gradient * gap)
        better = loss < least
        best, least = np.where(better, values, best), np.where(better, loss, least)
        speed = _MOMENTUM * speed - np.float32(rate * (1 - step / STEPS)) * gradient
        latent = np.add(latent, speed, dtype=np.float32)
    return best


def _row_sums(values: Floats) -> NDArray[np.float64]:
    return np.asarray(np.sum(values, axis=1, dtype=np.float64, keepdims=True))
