"""Steps of the twin in C are those of NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")

Floats = NDArray[np.float32]
WIDTHS = (1, 2, 3, 5, 16, 31, 32, 64, 100, 128, 129, 384, 1000)


def check(values: Floats) -> None:
    for negative in (False, True):
        hostile.check("steps.nf4_step", values, negative=negative)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_of_groups(width: int) -> None:
    rng = np.random.default_rng(width)
    for groups in (0, 1, 16, 37):
        values = rng.standard_normal((width, groups)) * rng.choice([1e-30, 1e-3, 1, 1e20], groups)
        values[:, :1] = np.round(values[:, :1] * 4) / 4  # ties
        values[:, 5:6] = 0
        check(values.astype(np.float32))


@settings(deadline=None, max_examples=100)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 20)),
        elements=st.sampled_from(hostile.FINITE) | st.floats(-2, 2, width=32),
    )
)
def test_odd_values(values: Floats) -> None:
    check(values)


def test_what_lies_between_two_parts() -> None:
    halves = (np.arange(-253, 254, 2) / 254).astype(np.float32)
    near = [np.nextafter(halves, np.float32(side)) for side in (-1, 1)]
    every = np.concatenate([halves, *near, [1]]).astype(np.float32)
    check(np.stack([every, -every, every * np.float32(3)], axis=1))


@pytest.mark.parametrize("groups", [1, 5, 40])
def test_values_are_taken_as_they_lie(groups: int) -> None:
    values = np.random.default_rng(groups).standard_normal((groups, 96)).astype(np.float32)
    for one in (values.T, values.T[::2], values[:, ::3].T, np.repeat(values, 2, axis=0)[::2].T):
        check(one)
