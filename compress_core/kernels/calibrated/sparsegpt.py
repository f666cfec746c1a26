"""Pruning column by column with feedback (Frantar & Alistarh 2023, SparseGPT, algorithm 1)."""

from __future__ import annotations

import numpy as np

from compress_core.kernels.calibrated.factor import BLOCK
from compress_core.kernels.calibrated.feedback import Columns, decide_in_order
from compress_core.kernels.calibrated.problem import Floats, Problem, Pruned


class _Pruning(Columns):
    def __init__(self, problem: Problem, energies: Floats) -> None:
        self._problem = problem
        self._energies = energies
        self.span = problem.choice.span or BLOCK
        self.gone = np.zeros((problem.columns, len(problem.weights)), dtype=np.bool_)

    def foresee(self, first: int, aims: Floats) -> None:
        own = slice(first, first + len(aims))
        scores = np.square(aims) * self._energies[own, None]
        self.gone[own] = self._problem.pruned_between(np.ascontiguousarray(scores.T), first).T

    def decide(self, column: int, aim: Floats) -> Floats:
        return np.where(self.gone[column], np.float32(0), aim)


def sparsegpt(problem: Problem, factor: Floats) -> Pruned:
    """Prune by w² R_jj², which is w² / [H⁻¹]_jj of the columns that are left.

    The mask of 128 columns, or of each M of N of M, is chosen when the columns before them are
    settled; of each row the same share in each 128.

    :param factor: R of the damped Gram matrix: see :mod:`.factor`.
    """
    columns = _Pruning(problem, np.square(factor.diagonal()))
    values = decide_in_order(problem.weights, factor, columns)
    gone = np.ascontiguousarray(columns.gone.T)
    return Pruned(np.where(gone, np.float32(0), values), gone)
