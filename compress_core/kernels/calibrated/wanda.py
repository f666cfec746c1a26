"""Weights judged by what they pass on (Sun et al. 2023, Wanda, eq. 1)."""

from __future__ import annotations

import numpy as np

from compress_core.kernels.calibrated.problem import Floats, Problem, Pruned, without


def wanda(problem: Problem, energies: Floats) -> Pruned:
    """Prune by |w_ij| · √H_jj among the elements of a row. What stays keeps its value.

    :param energies: the mean squares of the inputs, (columns,).
    """
    gone = problem.pruned(np.abs(problem.weights) * np.sqrt(energies))
    return Pruned(without(problem.weights, gone), gone)
