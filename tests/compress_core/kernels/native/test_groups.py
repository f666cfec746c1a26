"""Extremes of groups are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")


@pytest.mark.parametrize("name", ["groups.largest", "groups.extremes", "groups.ends"])
@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 32, 100, 128, 1000])
def test_every_width_of_groups(width: int, name: str) -> None:
    drawn = np.random.default_rng(width).standard_normal((3, 5, width)).astype(np.float32)
    for moved in (drawn, drawn + 9, drawn - 9, drawn * 0, -drawn * 0):
        hostile.check(name, moved)


@pytest.mark.parametrize("name", ["groups.largest", "groups.extremes", "groups.ends"])
@settings(deadline=None)
@given(
    hostile.matrices(
        hostile.ALL, st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 40))
    )
)
def test_odd_values(name: str, values: NDArray[np.float32]) -> None:
    hostile.check(name, values)
