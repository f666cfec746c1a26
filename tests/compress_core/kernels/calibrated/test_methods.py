"""What holds for every method: as much goes as is asked for, and less is lost than by magnitude."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.kernels.calibrated.admm import Spectrum, admm
from compress_core.kernels.calibrated.factor import factorise
from compress_core.kernels.calibrated.fista import fista
from compress_core.kernels.calibrated.gradual import gradual
from compress_core.kernels.calibrated.problem import Problem, Pruned, without
from compress_core.kernels.calibrated.refit import refit
from compress_core.kernels.calibrated.ridge import Ridge, ridge
from compress_core.kernels.calibrated.sparsegpt import sparsegpt
from compress_core.kernels.calibrated.wanda import wanda
from tests.compress_core.kernels.calibrated.conftest import loss

Floats = NDArray[np.float32]


def _sparsegpt(problem: Problem, gram: Floats) -> Pruned:
    factor = gram.copy()
    factorise(factor)
    return sparsegpt(problem, factor)


METHODS: dict[str, Callable[[Problem, Floats], Pruned]] = {
    "wanda": lambda problem, gram: wanda(problem, gram.diagonal()),
    "sparsegpt": _sparsegpt,
    "l1": fista,
    "l2": lambda problem, gram: ridge(problem, Ridge.of(gram, 0.1 * float(gram.diagonal().mean()))),
    "dynamic": gradual,
    "admm": lambda problem, gram: admm(problem, Spectrum.of(gram)),
}
each = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@each
def test_as_much_goes_as_is_asked_for(
    method: Callable[[Problem, Floats], Pruned], problem: Problem, gram: Floats
) -> None:
    found = method(problem, gram)
    wanted = problem.choice.count(problem.columns)
    assert (np.count_nonzero(found.gone, axis=1) == wanted).all()
    assert not found.values[found.gone].any()
    assert np.isfinite(found.values).all()
    if problem.choice.span is not None:
        groups = found.gone[:, :148].reshape(len(found.gone), 37, 4)
        assert (np.count_nonzero(groups, axis=2) == 2).all()


@each
def test_less_is_lost_than_by_magnitude(
    method: Callable[[Problem, Floats], Pruned], problem: Problem, gram: Floats
) -> None:
    plain = without(problem.weights, problem.pruned(np.abs(problem.weights)))
    found = method(problem, gram)
    assert loss(problem.weights, found.values, gram) < 0.9 * loss(problem.weights, plain, gram)


@pytest.mark.parametrize("method", [METHODS["dynamic"], METHODS["admm"]], ids=["dynamic", "admm"])
def test_a_mask_that_moves_loses_less_than_one_that_stays(
    method: Callable[[Problem, Floats], Pruned], problem: Problem, gram: Floats
) -> None:
    gone = problem.pruned(np.abs(problem.weights))
    refitted = refit(problem.weights, without(problem.weights, gone), ~gone, gram)
    found = method(problem, gram)
    assert loss(problem.weights, found.values, gram) < loss(problem.weights, refitted, gram)


@each
def test_with_independent_inputs_it_is_magnitude(
    method: Callable[[Problem, Floats], Pruned], problem: Problem
) -> None:
    unit = np.eye(problem.columns, dtype=np.float32)
    found = method(problem, unit)
    if method is _sparsegpt and problem.choice.span is None:
        wanted = problem.pruned_between(np.abs(problem.weights[:, :128]), 0)
        np.testing.assert_array_equal(found.gone[:, :128], wanted)
    else:
        np.testing.assert_array_equal(found.gone, problem.pruned(np.abs(problem.weights)))
    # what eigenvectors and inverses of a unit matrix are rounded to
    np.testing.assert_allclose(
        found.values, without(problem.weights, found.gone), rtol=0, atol=1e-6
    )


@each
def test_what_is_gone_stays_gone_and_is_not_made_up_by_it(
    method: Callable[[Problem, Floats], Pruned], problem: Problem, gram: Floats
) -> None:
    before = np.zeros(problem.weights.shape, np.bool_)
    before[::2, 10:30] = True
    given = Problem(without(problem.weights, before), before, problem.choice)
    found = method(given, gram)
    assert found.gone[before].all()
    assert not found.values[found.gone].any()


@each
def test_columns_that_nothing_comes_to_go_first(
    method: Callable[[Problem, Floats], Pruned], problem: Problem, gram: Floats
) -> None:
    dead = gram.copy()
    dead[::10] = 0
    dead[:, ::10] = 0
    dead.reshape(-1)[:: len(dead) + 1] += 1e-4 * gram.diagonal().mean()
    if method is METHODS["wanda"] and problem.choice.span is None:
        assert method(problem, dead).gone[:, ::10].all()
    assert np.isfinite(method(problem, dead).values).all()


@each
def test_rows_of_zeros_stay_zeros(
    method: Callable[[Problem, Floats], Pruned], problem: Problem, gram: Floats
) -> None:
    zeros = Problem(np.zeros_like(problem.weights), None, problem.choice)
    assert not method(zeros, gram).values.any()
