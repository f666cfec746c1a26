"""Layers with inputs that hang together, and how far what they give is from what they gave."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.kernels.calibrated.problem import KeepOfEach, Problem, SmallestOfRow

Array = NDArray[Any]


def gram_of(columns: int, seed: int = 5) -> NDArray[np.float32]:
    """A damped Gram matrix of correlated inputs with unequal variances."""
    random = np.random.default_rng(seed)
    inputs = random.standard_normal((4 * columns, columns)) @ random.standard_normal(
        (columns, columns)
    )
    inputs *= np.exp(random.standard_normal(columns))
    gram = inputs.T @ inputs / len(inputs)
    gram += 0.1 * np.mean(gram.diagonal()) * np.eye(columns)
    return np.asarray(gram, np.float32)


def weights_of(rows: int, columns: int, seed: int = 6) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def loss(before: Array, after: Array, gram: Array) -> float:
    """J in float64."""
    gap = before.astype(np.float64) - after
    return float(np.sum((gap @ gram.astype(np.float64)) * gap))


def part_of(sparsity: float, columns: int) -> int:
    return int(np.floor(sparsity * columns + 0.5))


HALF = SmallestOfRow(partial(part_of, 0.5))
MOST = SmallestOfRow(partial(part_of, 0.8))
TWO_OF_FOUR = KeepOfEach(2, 4)


@pytest.fixture(params=[HALF, MOST, TWO_OF_FOUR], ids=["half", "most", "2of4"])
def problem(request: pytest.FixtureRequest) -> Problem:
    return Problem(weights_of(40, 150), None, request.param)


@pytest.fixture
def gram() -> NDArray[np.float32]:
    return gram_of(150)
