"""Codes and values of uniform grids are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")

SCALES = (1.0, -1.0, 0.5, 2.0**-126, -(2.0**-24), 0.1, 3e38, -65504.0)
MEANS = (0.0, -0.0, 0.5, -1e-3, 3e38)


def parameters(
    data: st.DataObject, shape: tuple[int, int], some: tuple[float, ...]
) -> NDArray[np.float32]:
    """One of these figures for each group, or one for all."""
    shapes = st.sampled_from([shape, (1, 1)])
    drawn: NDArray[np.float32] = data.draw(
        arrays.arrays(np.float32, shapes, elements=st.sampled_from(some).map(np.float32))
    )
    return drawn


@settings(deadline=None, max_examples=200)
@given(data=st.data(), bits=st.integers(2, 8), width=st.integers(1, 40))
def test_codes(data: st.DataObject, bits: int, width: int) -> None:
    infinite = (*hostile.FINITE, float("inf"), float("-inf"))
    values = data.draw(hostile.matrices(infinite, st.tuples(st.integers(0, 5), st.integers(0, 70))))
    shape = len(values), -(-values.shape[1] // width)
    half, top = 2 ** (bits - 1), 2**bits - 1
    scale = parameters(data, shape, SCALES)
    zero = data.draw(st.integers(0, top))
    zeros = np.full(shape, zero, np.uint8)
    signed = zeros.astype(np.float32) - half
    code = {"low": 0, "high": top}
    for lowest in (0, 1):
        hostile.check(
            "integers.integer_codes", values, width, scale, after=half, low=lowest, high=top
        )
    hostile.check("integers.integer_codes", values, width, scale, after=zeros, **code)
    hostile.check("integers.integer_codes", values, width, scale, before=signed, after=half, **code)
    finite = np.where(np.isfinite(values), values, np.float32(0))
    mean = parameters(data, shape, MEANS)
    hostile.check("integers.integer_codes", finite, width, scale, mean=mean, after=half, **code)


@settings(deadline=None, max_examples=200)
@given(data=st.data(), width=st.integers(1, 40))
def test_values(data: st.DataObject, width: int) -> None:
    rows, columns = data.draw(st.tuples(st.integers(0, 5), st.integers(0, 70)))
    codes = np.random.default_rng(columns).integers(0, 256, (rows, columns)).astype(np.uint8)
    codes[:, ::3] = 8
    shape = rows, -(-columns // width)
    scale = parameters(data, shape, SCALES)
    for zero in (8, np.full(shape, 8, np.uint8), 0, 255):
        hostile.check("integers.integer_values", codes, width, scale, zero=zero)
        mean = parameters(data, shape, MEANS)
        hostile.check("integers.integer_values", codes, width, scale, zero=zero, mean=mean)


@pytest.mark.parametrize("ties", [0.5, 1.5, 2.5, -0.5, -7.5, 126.5, -127.5, 1e30, -1e30])
def test_ties_go_to_the_even_code(ties: float) -> None:
    values = np.full((2, 33), ties, np.float32)
    one = np.ones((2, 1), np.float32)
    hostile.check("integers.integer_codes", values, 33, one, after=128, low=1, high=255)
    hostile.check("integers.integer_codes", values, 33, one, after=7, low=0, high=15)


def test_what_is_not_contiguous_is_taken() -> None:
    values = np.linspace(-3, 3, 96, dtype=np.float32).reshape(8, 12)
    scale = np.full((12, 4), 0.3, np.float32)[::2]
    hostile.check("integers.integer_codes", values.T[::2], 2, scale, after=8, low=0, high=15)
