"""GPTQ, coordinate descent and straight-through training on a plain grid of steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.kernels.calibrated.descent import descend
from compress_core.kernels.calibrated.gptq import Ordered, gptq
from compress_core.kernels.calibrated.grid import Grid, Slope
from compress_core.kernels.calibrated.ste import straight_through
from tests.compress_core.kernels.calibrated.conftest import gram_of, loss, weights_of

Floats = NDArray[np.float32]


class Steps(Grid):
    """Whole multiples of a step, −2 to 1; the step of each row may be moved or not."""

    def __init__(self, rows: int, *, moves: bool = False) -> None:
        self.step = np.full(rows, 0.8, np.float32)
        self._moves = moves

    def nearest(self, values: Floats) -> Floats:
        step = self.step[:, None]
        return np.asarray(np.clip(np.rint(values / step), -2, 1) * step, np.float32)

    def nearest_of_column(self, column: int, values: Floats) -> Floats:
        return self.nearest(values[:, None])[:, 0]

    def slopes(self, values: Floats) -> Iterator[Slope]:
        if self._moves:
            yield Slope("step", 0, slice(0, len(values)), values / self.step)

    def move(self, slope: Slope, change: Floats) -> Floats:
        self.step += change
        return change


GRAM, WEIGHTS = gram_of(150), weights_of(40, 150)
NEAREST = loss(WEIGHTS, Steps(40).nearest(WEIGHTS), GRAM)


def on_the_grid(values: Floats, grid: Steps) -> bool:
    return bool(np.allclose(values, grid.nearest(values), rtol=0, atol=1e-5))


def test_feedback_loses_less_than_rounding() -> None:
    grid = Steps(40)
    found = gptq(WEIGHTS, grid, Ordered.of(GRAM))
    assert on_the_grid(found, grid)
    assert loss(WEIGHTS, found, GRAM) < 0.8 * NEAREST


def test_columns_are_rounded_in_the_order_of_what_comes_to_them() -> None:
    ordered = Ordered.of(GRAM)
    assert sorted(ordered.order) == list(range(150))
    assert (np.diff(GRAM.diagonal()[ordered.order]) <= 0).all()
    product = ordered.factor.astype(np.float64) @ ordered.factor.T
    wanted = GRAM[np.ix_(ordered.order, ordered.order)]
    np.testing.assert_allclose(product, wanted, atol=2e-5 * GRAM.max())


@pytest.mark.parametrize("moves", [False, True])
def test_descent_never_loses_more_than_where_it_began(moves: bool) -> None:
    for start in (Steps(40).nearest(WEIGHTS), gptq(WEIGHTS, Steps(40), Ordered.of(GRAM))):
        grid = Steps(40, moves=moves)
        found = descend(WEIGHTS, start, grid, GRAM)
        assert on_the_grid(found, grid)
        for row in range(40):
            before = loss(WEIGHTS[row : row + 1], start[row : row + 1], GRAM)
            assert loss(WEIGHTS[row : row + 1], found[row : row + 1], GRAM) <= before * (1 + 1e-5)


def test_steps_that_move_lose_less() -> None:
    start = gptq(WEIGHTS, Steps(40), Ordered.of(GRAM))
    fixed = descend(WEIGHTS, start, Steps(40), GRAM)
    moved = descend(WEIGHTS, start, Steps(40, moves=True), GRAM)
    assert loss(WEIGHTS, moved, GRAM) < loss(WEIGHTS, fixed, GRAM) < loss(WEIGHTS, start, GRAM)


def test_where_descent_ends_no_single_element_can_gain() -> None:
    gram, weights = gram_of(12), weights_of(3, 12)
    grid = Steps(3)
    found = descend(weights, grid.nearest(weights), grid, gram)
    for row in range(3):
        least = loss(weights[row], found[row], gram)
        for column in range(12):
            for number in (-1.6, -0.8, 0, 0.8):
                other = found[row].copy()
                other[column] = number
                assert loss(weights[row], other, gram) >= least * (1 - 1e-5)


def test_training_through_the_rounding_loses_less_than_rounding() -> None:
    grid = Steps(40)
    found = straight_through(WEIGHTS, grid, GRAM)
    assert on_the_grid(found, grid)
    assert loss(WEIGHTS, found, GRAM) < 0.8 * NEAREST
    for row in range(40):
        nearest = loss(WEIGHTS[row], grid.nearest(WEIGHTS)[row], GRAM)
        assert loss(WEIGHTS[row], found[row], GRAM) <= nearest * (1 + 1e-5)


def test_with_independent_inputs_all_of_them_are_rounding() -> None:
    unit = np.eye(150, dtype=np.float32)
    nearest = Steps(40).nearest(WEIGHTS)
    np.testing.assert_array_equal(gptq(WEIGHTS, Steps(40), Ordered.of(unit)), nearest)
    np.testing.assert_array_equal(descend(WEIGHTS, nearest, Steps(40), unit), nearest)
    np.testing.assert_array_equal(straight_through(WEIGHTS, Steps(40), unit), nearest)
