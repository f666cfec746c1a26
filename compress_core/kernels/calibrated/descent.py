"""Numbers of a grid moved one at a time, and its scales, until little is gained."""

from __future__ import annotations

import numpy as np

from compress_core.kernels.calibrated.factor import BLOCK
from compress_core.kernels.calibrated.grid import Grid
from compress_core.kernels.calibrated.problem import Floats

SWEEPS = 4


def descend(weights: Floats, start: Floats, grid: Grid, gram: Floats) -> Floats:
    """Numbers of the grid with no larger J than those of ``start``, (rows, columns).

    Coordinate descent (Nair & Suggala 2024, CDQuant, algorithm 1, with columns in their order):
    with all others fixed, J is a parabola in one element, whose best number on the grid is the one
    nearest to its vertex. After each sweep the parameters of groups are moved to their own
    vertices.

    :param gram: the damped Gram matrix.
    """
    values = np.ascontiguousarray(start.T)
    rest = gram @ (weights.T - values)
    for _ in range(SWEEPS):
        for first in range(0, len(values), BLOCK):
            own = slice(first, first + BLOCK)
            change = _swept(values[own], rest[own].copy(), gram[own, own], grid, first)
            rest -= gram[:, own] @ change
        _move_parameters(values, rest, grid, gram)
    return np.ascontiguousarray(values.T)


def _swept(values: Floats, rest: Floats, gram: Floats, grid: Grid, first: int) -> Floats:
    """Sweep over a block of columns, in place; by how much they changed.

    :param rest: H (W − W′)ᵀ of these columns, also changed.
    """
    change = np.empty_like(values)
    curvature = gram.diagonal()
    for at in range(len(values)):
        vertex = values[at] + rest[at] / curvature[at]
        number = grid.nearest_of_column(first + at, vertex)
        change[at] = number - values[at]
        values[at] = number
        rest -= np.multiply.outer(gram[at], change[at])
    return change


def _move_parameters(values: Floats, rest: Floats, grid: Grid, gram: Floats) -> None:
    for one in grid.slopes(values):
        own = one.columns
        curvature = np.sum(one.slope * (gram[own, own] @ one.slope), axis=0, dtype=np.float64)
        gain = np.sum(one.slope * rest[own], axis=0, dtype=np.float64)
        flat = curvature <= 0
        wanted = np.where(flat, 0, gain / np.where(flat, 1, curvature)).astype(np.float32)
        change = one.slope * grid.move(one, wanted)
        values[own] += change
        rest -= gram[:, own] @ change
