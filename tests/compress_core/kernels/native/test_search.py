"""Scales of the twin in C are those of NumPy, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.kernels import search
from compress_core.kernels.native import search as twin
from compress_core.kernels.scales import nearest_scale

pytestmark = pytest.mark.usefixtures("library")

Floats = NDArray[np.float32]
DTYPES = ("F32", "F16", "BF16")
WIDTHS = (1, 2, 3, 5, 16, 31, 32, 64, 100, 128, 129, 200, 384, 1000)
ODD = (0.0, -0.0, 1e-45, -1e-38, 2.0**-24, 0.5, -0.5, 1.5, 7.0, -8.0, 65504.0, 1e20, -3.4e38)


def numpy(function: Any) -> Any:
    """The specification, whatever is in use."""
    return function.__wrapped__


def absmax(values: Floats, bits: int, dtype: str) -> Floats:
    largest = np.abs(values).max(axis=0)
    scale = np.where(largest == 0, np.float32(1), largest / np.float32(2 ** (bits - 1) - 0.5))
    return nearest_scale(scale.astype(np.float32), dtype)


def minmax(values: Floats, bits: int, dtype: str) -> tuple[Floats, Floats]:
    low, high, top = values.min(axis=0, initial=0), values.max(axis=0, initial=0), 2**bits - 1
    step = ((high.astype(np.float64) - low) / top).astype(np.float32)
    scale = nearest_scale(np.where(step == 0, np.float32(1), step), dtype)
    return scale, np.clip(np.rint(-low / scale), 0, top).astype(np.float32)


def check(values: Floats, bits: int, dtype: str) -> None:
    scale = absmax(values, bits, dtype)
    for negative in (False, True):
        wanted = numpy(search.symmetric_scale)(values, scale, bits, dtype, negative=negative)
        found = twin.symmetric_scale(values, scale, bits, dtype, negative=negative)
        assert found.tobytes() == wanted.tobytes(), negative
    scale, zero = minmax(values, bits, dtype)
    both = numpy(search.asymmetric_scale)(values, scale, zero, bits, dtype)
    for wanted, found in zip(
        both, twin.asymmetric_scale(values, scale, zero, bits, dtype), strict=True
    ):
        assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bits", range(2, 9))
def test_every_width_of_groups(bits: int, width: int) -> None:
    rng = np.random.default_rng(width)
    for groups, dtype in zip((1, 16, 37), DTYPES, strict=True):
        values = rng.standard_normal((width, groups)) * rng.choice([1e-30, 1e-3, 1, 1e20], groups)
        values[:, :1] = np.round(values[:, :1] * 4) / 4  # ties
        values[:, 5:6] = 0
        check(values.astype(np.float32), bits, dtype)


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 20)),
        elements=st.sampled_from(ODD) | st.floats(-2, 2, width=32),
    ),
    st.integers(2, 8),
    st.sampled_from(DTYPES),
)
def test_odd_values(values: Floats, bits: int, dtype: str) -> None:
    check(values, bits, dtype)


def test_neither_input_is_changed() -> None:
    values = np.ones((8, 3), np.float32)
    scale, zero = np.full(3, 0.5, np.float32), np.zeros(3, np.float32)
    twin.symmetric_scale(values, scale, 4, "F32", negative=True)
    twin.asymmetric_scale(values, scale, zero, 4, "F32")
    assert (values == 1).all()
    assert (scale == 0.5).all()
    assert (zero == 0).all()
