"""The best ternary scale, against all ways to choose what is not zero."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from compress_core.kernels.ternary import ternary_scale


def least_error(values: list[float]) -> float:
    """Over every set of elements that are not zero, with the best scale for it."""
    energy = sum(value * value for value in values)
    sizes = [abs(value) for value in values]
    sets = (s for k in range(1, len(sizes) + 1) for s in combinations(sizes, k))
    return min(energy - sum(s) ** 2 / len(s) for s in sets)


def test_no_choice_of_zeros_has_less_error() -> None:
    values = np.random.default_rng(0).standard_t(3, (5, 3, 9)).astype(np.float32)
    scale = ternary_scale(values)
    assert scale.shape == (5, 3)
    units = values / scale[:, :, None]
    codes = np.clip(np.rint(units), -1, 1)
    error = np.square(values - codes * scale[:, :, None], dtype=np.float64).sum(axis=2)
    for row in range(5):
        for group in range(3):
            least = least_error(values[row, group].astype(float).tolist())
            assert np.isclose(error[row, group], least, rtol=1e-5)


def test_zeros_do_not_count_and_a_group_of_zeros_has_none() -> None:
    values = np.array([[[3, -1, 2, 0.5]], [[0, 0, 0, 0]]], np.float32)
    padded = np.concatenate([values, np.zeros((2, 1, 5), np.float32)], axis=2)
    assert ternary_scale(padded).tolist() == ternary_scale(values).tolist() == [[2.5], [0.0]]
