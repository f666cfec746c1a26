"""L1: the penalty that makes zeros by itself (Beck & Teboulle 2009, FISTA)."""

from __future__ import annotations

import numpy as np

from compress_core.kernels.calibrated.power import largest_eigenvalue
from compress_core.kernels.calibrated.problem import Floats, Problem, Pruned, without
from compress_core.kernels.calibrated.refit import refit

HALVINGS = 14
TURNS = 40


def fista(problem: Problem, gram: Floats) -> Pruned:
    """Minimise ½ J + λ ‖W′‖₁, with λ halved in between until as much is zero as is asked for.

    Each row has its own λ. The penalty also shrinks what stays, so that is fitted again without
    it. Which go is decided by what the values are before the last step cuts λ off them, so that
    zeros have an order, too.

    :param gram: the damped Gram matrix.
    """
    target = problem.weights @ gram
    step = np.float32(1) / largest_eigenvalue(gram)
    enough = problem.columns - problem.choice.count(problem.columns)
    low = np.zeros((len(target), 1), dtype=np.float32)
    high = np.abs(target).max(axis=1, initial=0, keepdims=True)
    found = scores = problem.weights
    for _ in range(HALVINGS):
        penalty = (low + high) / 2
        found, moved = _minimum(found, target, gram, step, penalty * step)
        too_many = np.count_nonzero(found, axis=1)[:, None] >= enough
        scores = np.where(too_many, moved, scores)
        low, high = np.where(too_many, penalty, low), np.where(too_many, high, penalty)
    gone = problem.pruned(np.abs(scores))
    kept = without(problem.weights, gone)
    return Pruned(refit(problem.weights, kept, ~gone, gram), gone)


def _minimum(
    start: Floats, target: Floats, gram: Floats, step: np.float32, bar: Floats
) -> tuple[Floats, Floats]:
    """Of ½ J + λ ‖W′‖₁ with ``bar`` = λ · ``step``, by steps with momentum from ``start`` on.

    :returns: the values, and what they are before ``bar`` is cut off them.
    """
    found = ahead = moved = start
    pace = 1.0
    for _ in range(TURNS):
        moved = ahead - (ahead @ gram - target) * step
        before, found = found, np.sign(moved) * np.maximum(np.abs(moved) - bar, np.float32(0))
        last, pace = pace, (1 + np.sqrt(1 + 4 * pace * pace)) / 2
        ahead = found + np.float32((last - 1) / pace) * (found - before)
    return found, moved
