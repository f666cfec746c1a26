"""A threshold that rises while the weights are optimised again and again."""

from __future__ import annotations

import numpy as np

from compress_core.kernels.calibrated.problem import Floats, Problem, Pruned, without
from compress_core.kernels.calibrated.refit import refit

STEPS = 10


def gradual(problem: Problem, gram: Floats) -> Pruned:
    """Prune in ten steps on the cubic schedule of Zhu & Gupta 2017 (eq. 1), with a refit between.

    The mask of each step is chosen anew: what is pruned is judged by the value that it would get
    if it alone were optimised, so that it may return.

    :param gram: the damped Gram matrix.
    """
    scale = np.float32(1) / gram.diagonal()
    found = Pruned(problem.weights, np.zeros(problem.weights.shape, dtype=np.bool_))
    for step in range(1, STEPS + 1):
        rest = (problem.weights - found.values) @ gram
        gone = problem.pruned_partly(
            np.abs(found.values + rest * scale), 1 - (1 - step / STEPS) ** 3
        )
        start = without(found.values, gone)
        found = Pruned(refit(problem.weights, start, ~gone, gram), gone)
    return found
