"""The values of the weights that stay, fitted again to the outputs of the layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.calibrated.problem import Floats, Mask

ITERATIONS = 15
"""Iterations after which a refit hardly improves what a layer gives."""


def refit(
    weights: Floats,
    start: Floats,
    kept: Mask,
    gram: Floats,
    iterations: int = ITERATIONS,
) -> Floats:
    """The minimum of J over all values of the elements that stay, from ``start`` on.

    Conjugate gradients with the diagonal as preconditioner (Hestenes & Stiefel 1952; Saad 2003,
    algorithm 9.1), all rows at once and each with its own step lengths.

    :param weights: what the layer had, (rows, columns).
    :param start: zero where ``kept`` is false.
    :param gram: the damped Gram matrix, (columns, columns).
    """
    scale: Floats = np.reciprocal(gram.diagonal())
    found = start.copy()
    rest: Floats = np.where(kept, (weights - start) @ gram, np.float32(0))
    ahead = rest * scale
    step = ahead.copy()
    energy = _products(rest, ahead)
    for _ in range(iterations):
        image = np.where(kept, step @ gram, np.float32(0))
        length = _quotient(energy, _products(step, image))
        found += length * step
        rest -= length * image
        ahead = rest * scale
        before, energy = energy, _products(rest, ahead)
        step *= _quotient(energy, before)
        step += ahead
    return found


def _products(one: Floats, other: Floats) -> NDArray[np.float64]:
    """The scalar product of each pair of rows: (rows, 1)."""
    return np.asarray(np.sum(one * other, axis=1, dtype=np.float64, keepdims=True))


def _quotient(above: NDArray[np.float64], below: NDArray[np.float64]) -> Floats:
    """0 where a row has nothing left to gain."""
    safe = np.where(below > 0, below, 1)
    return np.where(below > 0, above / safe, 0).astype(np.float32)
