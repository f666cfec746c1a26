"""L2: ridge regression first, then the smallest go (Hoerl & Kennard 1970)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compress_core.kernels.calibrated.problem import Floats, Problem, Pruned, without
from compress_core.kernels.calibrated.refit import refit


@dataclass(frozen=True)
class Ridge:
    """What shrinks weights by what the outputs need of them.

    :ivar gram: the damped Gram matrix H, (columns, columns).
    :ivar shrinking: penalty · (H + penalty I)⁻¹.
    """

    gram: Floats
    shrinking: Floats

    @classmethod
    def of(cls, gram: Floats, penalty: float) -> Ridge:
        """For a penalty on ‖W′‖²."""
        stiff = gram.copy()
        stiff.reshape(-1)[:: len(gram) + 1] += np.float32(penalty)
        shrinking = np.linalg.inv(stiff)
        shrinking *= np.float32(penalty)
        return cls(gram, shrinking)


def ridge(problem: Problem, found: Ridge) -> Pruned:
    """Minimise J + penalty ‖W′‖², remove what is smallest then, and fit what stays again.

    The minimum is W H (H + penalty I)⁻¹ = W − W penalty (H + penalty I)⁻¹. It prunes nothing by
    itself.
    """
    shrunk = problem.weights - problem.weights @ found.shrinking
    gone = problem.pruned(np.abs(shrunk))
    kept = without(problem.weights, gone)
    return Pruned(refit(problem.weights, kept, ~gone, found.gram), gone)
