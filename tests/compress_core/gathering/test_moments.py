"""Moments of inputs: sums in float64, however the inputs come."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.gathering.moments import Moments


@pytest.mark.parametrize("step", [1, 4, 100])
def test_they_are_those_of_all_inputs(step: int) -> None:
    inputs = np.random.default_rng(2).normal(100, 0.01, (60, 5)).astype(np.float32)
    found = Moments(5)
    for first in range(0, len(inputs), step):
        found.add(inputs[first : first + step])
    wide = inputs.astype(np.float64)
    assert found.count == 60
    assert {found.gram.dtype.name, found.mean.dtype.name} == {"float32"}
    np.testing.assert_allclose(found.gram, wide.T @ wide / 60, rtol=1e-7)
    np.testing.assert_allclose(found.mean, wide.mean(axis=0), rtol=1e-7)
    np.testing.assert_array_equal(found.gram, found.gram.T)
