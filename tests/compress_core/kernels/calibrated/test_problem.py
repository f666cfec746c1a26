"""How many elements of a row go, and which."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.kernels.calibrated.problem import Choice, KeepOfEach, Problem
from tests.compress_core.kernels.calibrated.conftest import HALF, MOST, TWO_OF_FOUR, weights_of

SCORES = np.abs(weights_of(7, 30, seed=1))


@pytest.mark.parametrize("choice", [HALF, MOST, TWO_OF_FOUR, KeepOfEach(3, 7)])
def test_as_many_go_as_are_counted(choice: Choice) -> None:
    gone = Problem(SCORES, None, choice).pruned(SCORES)
    assert (np.count_nonzero(gone, axis=1) == choice.count(30)).all()


@pytest.mark.parametrize("choice", [HALF, MOST])
def test_the_parts_of_a_row_are_as_many_as_the_whole(choice: Choice) -> None:
    problem = Problem(SCORES, None, choice)
    parts = [problem.pruned_between(SCORES[:, at : at + 7], at) for at in range(0, 30, 7)]
    gone = np.concatenate(parts, axis=1)
    assert (np.count_nonzero(gone, axis=1) == choice.count(30)).all()


def test_what_is_gone_already_counts_and_stays_gone() -> None:
    gone = np.zeros(SCORES.shape, np.bool_)
    gone[:, 20:] = True
    found = Problem(SCORES, gone, HALF).pruned(SCORES)
    assert found[:, 20:].all()
    assert (np.count_nonzero(found, axis=1) == 15).all()


def test_more_may_be_gone_already_than_is_asked_for() -> None:
    gone = np.ones(SCORES.shape, np.bool_)
    assert Problem(SCORES, gone, HALF).pruned(SCORES).all()


def test_the_smallest_go() -> None:
    gone = Problem(SCORES, None, HALF).pruned(SCORES)
    for row, mask in zip(SCORES, gone, strict=True):
        assert row[mask].max() < row[~mask].min()


def test_on_the_way_a_share_of_them_goes() -> None:
    found = Problem(SCORES, None, TWO_OF_FOUR).pruned_partly(SCORES, 0.5)
    assert (np.count_nonzero(found, axis=1) == 7).all()
    whole = Problem(SCORES, None, TWO_OF_FOUR).pruned_partly(SCORES, 1)
    np.testing.assert_array_equal(whole, Problem(SCORES, None, TWO_OF_FOUR).pruned(SCORES))
