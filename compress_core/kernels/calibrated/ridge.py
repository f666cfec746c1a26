"""L2: ridge regression first, then the smallest go (Hoerl & Kennard 1970)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compress_core.kernels.calibrated.factor import factorise, invert
from compress_core.kernels.calibrated.problem import Floats, Problem, Pruned, without
from compress_core.kernels.calibrated.refit import refit


@dataclass(frozen=True)
class Ridge:
    """What shrinks weights by what the outputs need of them.

    :ivar gram: the damped Gram matrix H, (columns, columns).
    :ivar inverse: R⁻¹ of H + penalty I = R Rᵀ, so that its inverse is R⁻ᵀ R⁻¹.
    """

    gram: Floats
    inverse: Floats
    penalty: np.float32

    @classmethod
    def of(cls, gram: Floats, penalty: float) -> Ridge:
        """For a penalty on ‖W′‖². In two matrices: NumPy's own inverse takes nine."""
        stiff = gram.copy()
        stiff.reshape(-1)[:: len(gram) + 1] += np.float32(penalty)
        factorise(stiff)
        invert(stiff)
        return cls(gram, stiff, np.float32(penalty))


def ridge(problem: Problem, found: Ridge) -> Pruned:
    """Minimise J + penalty ‖W′‖², remove what is smallest then, and fit what stays again.

    The minimum is W H (H + penalty I)⁻¹ = W − W penalty (H + penalty I)⁻¹. It prunes nothing by
    itself.
    """
    change = (problem.weights @ found.inverse.T) @ found.inverse
    shrunk = problem.weights - found.penalty * change
    gone = problem.pruned(np.abs(shrunk))
    kept = without(problem.weights, gone)
    return Pruned(refit(problem.weights, kept, ~gone, found.gram), gone)
