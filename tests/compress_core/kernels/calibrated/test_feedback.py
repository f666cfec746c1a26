"""Column by column, compared with the algorithm of the paper: on the inverse, one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.kernels.calibrated.factor import factorise
from compress_core.kernels.calibrated.feedback import Columns, decide_in_order
from tests.compress_core.kernels.calibrated.conftest import gram_of, loss, weights_of


class _Rounding(Columns):
    def decide(self, column: int, aim: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.rint(aim)


def by_the_inverse(weights: NDArray[np.float32], gram: NDArray[np.float32]) -> NDArray[np.float64]:
    """Optimal brain quantization in the order of the columns (Frantar et al. 2022, eq. 2 and 3)."""
    work = weights.astype(np.float64)
    inverse = np.linalg.inv(gram.astype(np.float64))
    for column in range(work.shape[1]):
        rest = work[:, column] - np.rint(work[:, column])
        work -= np.outer(rest / inverse[column, column], inverse[column])
        inverse -= np.outer(inverse[column], inverse[column]) / inverse[column, column]
    return np.rint(work)


@pytest.mark.parametrize("columns", [1, 5, 128, 150, 300])
def test_it_gives_what_the_paper_s_algorithm_gives(columns: int) -> None:
    gram, weights = gram_of(columns), 3 * weights_of(9, columns)
    factor = gram.copy()
    factorise(factor)
    found = decide_in_order(weights, factor, _Rounding())
    wanted = by_the_inverse(weights, gram)
    # a tie may fall to the other side in float32, and what follows then differs
    assert np.mean(np.all(found == wanted, axis=1)) > 0.6
    assert loss(weights, found, gram) == pytest.approx(loss(weights, wanted, gram), rel=0.03)


def test_it_loses_less_than_rounding_does() -> None:
    gram, weights = gram_of(150), 2 * weights_of(30, 150)
    factor = gram.copy()
    factorise(factor)
    found = decide_in_order(weights, factor, _Rounding())
    assert loss(weights, found, gram) < 0.8 * loss(weights, np.rint(weights), gram)


def test_what_needs_no_rounding_stays() -> None:
    gram = gram_of(40)
    factorise(gram)
    weights = np.rint(3 * weights_of(4, 40))
    np.testing.assert_array_equal(decide_in_order(weights, gram, _Rounding()), weights)
