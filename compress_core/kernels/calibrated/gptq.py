"""Rounding column by column with feedback (Frantar et al. 2022, GPTQ, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.calibrated.factor import factorise
from compress_core.kernels.calibrated.feedback import Columns, decide_in_order
from compress_core.kernels.calibrated.grid import Grid
from compress_core.kernels.calibrated.problem import Floats


@dataclass(frozen=True)
class Ordered:
    """A Gram matrix with its columns in the order in which they are rounded.

    :ivar order: the largest mean square first, so that what matters most has most columns left to
        make up for it.
    :ivar factor: R of the damped matrix in this order: see :mod:`.factor`.
    """

    order: NDArray[np.intp]
    factor: Floats

    @classmethod
    def of(cls, gram: Floats) -> Ordered:
        """That of a damped Gram matrix."""
        order = np.argsort(-gram.diagonal(), kind="stable")
        factor = gram[np.ix_(order, order)]
        factorise(factor)
        return cls(order, factor)


class _Rounding(Columns):
    def __init__(self, grid: Grid, order: NDArray[Any]) -> None:
        self._grid = grid
        self._order = order

    def decide(self, column: int, aim: Floats) -> Floats:
        return self._grid.nearest_of_column(int(self._order[column]), aim)


def gptq(weights: Floats, grid: Grid, found: Ordered) -> Floats:
    """Numbers of the grid for (rows, columns) weights.

    Parameters are those of the groups as they stand, whatever the order of the columns. An aim
    beyond the range of the grid becomes its outermost number, and later columns make up for that.
    """
    order = found.order
    values = np.empty_like(weights)
    values[:, order] = decide_in_order(weights[:, order], found.factor, _Rounding(grid, order))
    return values
