"""Columns decided one after the other, each making up for the errors of those before it.

With H = R Rᵀ, R upper triangular, J = ‖(W−W′) R‖², and what column j adds to it is
R_jj² (w_j − w′_j + Σ_{i<j} (w_i − w′_i) R_ij / R_jj)². So w′_j has to be close to the *aim*
w_j + Σ_{i<j} (w_i − w′_i) R_ij / R_jj. These are the values of GPTQ (Frantar et al. 2022,
algorithm 1) and SparseGPT (Frantar & Alistarh 2023, algorithm 1), in the form of Chee et al. 2023
(QuIP, theorem 6), which needs a factor of H and not of its inverse.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from compress_core.kernels.calibrated.factor import BLOCK
from compress_core.kernels.calibrated.problem import Floats


class Columns(ABC):
    """What decides the values of columns. Arrays of several are (columns, rows) here.

    :ivar span: columns that :meth:`foresee` is shown at once.
    """

    span: int = BLOCK

    def foresee(self, first: int, aims: Floats) -> None:
        """Look at the aims of ``span`` columns, from ``first`` on, before any of them is decided.

        They make up for the errors of all columns before ``first``.
        """

    @abstractmethod
    def decide(self, column: int, aim: Floats) -> Floats:
        """The new values of a column: (rows,)."""


def decide_in_order(weights: Floats, factor: Floats, columns: Columns) -> Floats:
    """New values of all (rows, columns) weights.

    :param factor: R, (columns, columns).
    """
    work = np.ascontiguousarray(weights.T)
    errors, found = np.zeros_like(work), np.empty_like(work)
    size, step = len(work), max(BLOCK // columns.span, 1) * columns.span
    diagonal = factor.diagonal()
    for start in range(0, size, step):
        stop = min(start + step, size)
        # rows of the block of (R / diagonal)ᵀ, whose own diagonal is 1
        unit: Floats = np.ascontiguousarray((factor[:stop, start:stop] / diagonal[start:stop]).T)
        base: Floats = work[start:stop] + unit[:, :start] @ errors[:start]
        own = unit[:, start:]
        for first in range(0, stop - start, columns.span):
            last = min(first + columns.span, stop - start)
            base[first:last] += own[first:last, :first] @ errors[start : start + first]
            columns.foresee(start + first, base[first:last])
            for at in range(first, last):
                near = errors[start + first : start + at]
                aim = base[at] + own[at, first:at] @ near
                found[start + at] = columns.decide(start + at, aim)
                errors[start + at] = work[start + at] - found[start + at]
    return np.ascontiguousarray(found.T)
