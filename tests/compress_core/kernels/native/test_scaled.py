"""Codes, values, errors and the best units of narrow numbers are those of NumPy."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.kernels.codebooks import E2M1, NF4, NF4_BOUNDS
from compress_core.kernels.scaled import Number, numbers_of
from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")

NUMBERS: tuple[Number, ...] = get_args(Number)
UNITS = (1.0, -1.0, 0.5, 2.0**-126, -(2.0**-24), 0.1, 3e38, -65504.0)
INFINITE = (*hostile.FINITE, float("inf"), float("-inf"))
WIDTHS = (1, 2, 3, 16, 31, 32, 64, 100, 128, 129, 200, 384, 1000)


def middles(number: Number) -> NDArray[np.float32]:
    """Numbers of a format, what is half-way between neighbours, and what is next to that."""
    every = numbers_of(np.arange(256, dtype=np.uint8), number)
    known = np.unique(every[np.isfinite(every)])
    half = known[1:] / np.float32(2) + known[:-1] / np.float32(2)
    bounds = NF4_BOUNDS if number == "nf4" else half
    near = [np.nextafter(bounds, np.float32(side)) for side in (-np.inf, np.inf)]
    return np.concatenate([known, -known, bounds, half, *near, -half, [0, -0.0]]).astype(np.float32)


@pytest.mark.parametrize("number", NUMBERS)
def test_ties_and_their_neighbours(number: Number) -> None:
    assert (NF4[0], E2M1[7]) == (-1, 6)
    values = middles(number)[None, :]
    for unit in (1.0, -1.0, 0.25, 3.0):
        units = np.full((1, 1), unit, np.float32)
        for scaled in (values, values * np.float32(unit)):
            width = scaled.shape[1]
            hostile.check("scaled.scaled_codes", scaled, width, units, number)
            hostile.check("scaled.scaled_errors", scaled, None, width, units, number)


@pytest.mark.parametrize("number", NUMBERS)
def test_every_code_has_its_value(number: Number) -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(4, 64)
    for unit in UNITS:
        units = np.full((4, 4), unit, np.float32)
        hostile.check("scaled.scaled_values", codes, 16, units, number)
        hostile.check("scaled.scaled_values", codes, 64, units[:1, :1], number)
        hostile.check("scaled.scaled_values", codes[:, ::2], 8, units, number)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_of_groups(width: int, number: Number) -> None:
    rng = np.random.default_rng(width)
    for columns in (width, 2 * width, 3 * width - width // 2):
        values = rng.standard_normal((3, columns)).astype(np.float32)
        kept = rng.random(values.shape) < 0.7
        groups = -(-columns // width)
        units = np.abs(rng.standard_normal((5, 3, groups))).astype(np.float32) + np.float32(0.1)
        units[3] = units[1]
        units[4] *= -1
        for stays in (None, kept):
            hostile.check("scaled.scaled_errors", values, stays, width, units[0], number)
            hostile.check("scaled.best_unit", values, stays, width, units, number)
        hostile.check("scaled.best_unit", values * 0, None, width, units, number)


@pytest.mark.parametrize("number", NUMBERS)
@settings(deadline=None, max_examples=60)
@given(data=st.data(), width=st.integers(1, 40))
def test_odd_values(number: Number, data: st.DataObject, width: int) -> None:
    shapes = st.tuples(st.integers(0, 5), st.integers(0, 70))
    values = data.draw(hostile.matrices(INFINITE, shapes))
    groups = -(-values.shape[1] // width)
    some = st.sampled_from(UNITS).map(np.float32)
    units = data.draw(arrays.arrays(np.float32, (3, len(values), groups), elements=some))
    for inverse in (False, True):
        hostile.check("scaled.scaled_codes", values, width, units[0], number, inverse=inverse)
    finite = np.where(np.isfinite(values), values, np.float32(0))
    for given_values in (values, finite):
        hostile.check("scaled.scaled_errors", given_values, None, width, units[0], number)
        hostile.check("scaled.best_unit", given_values, None, width, units, number)
