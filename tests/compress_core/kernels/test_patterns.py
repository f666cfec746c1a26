"""Ranks of N:M masks against combinations in order."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest

from compress_core.kernels import patterns

SHAPES = [(n, m) for m in range(1, 9) for n in range(m + 1)] + [(8, 16), (15, 16), (1, 16)]


def ordered(kept: int, width: int) -> list[int]:
    """Every pattern as an integer, rising."""
    return sorted(
        sum(1 << column for column in chosen) for chosen in combinations(range(width), kept)
    )


def as_mask(pattern: int, width: int) -> list[bool]:
    """Bit j of a pattern is column j."""
    return [bool(pattern >> column & 1) for column in range(width)]


@pytest.mark.parametrize(("kept", "width"), SHAPES)
def test_every_pattern_has_its_place_in_order(kept: int, width: int) -> None:
    every = ordered(kept, width)
    masks = np.array([as_mask(pattern, width) for pattern in every])
    assert patterns.ranks(masks, kept).tolist() == list(range(comb(width, kept)))
    rank = np.arange(len(every), dtype=np.uint32)
    assert np.array_equal(patterns.masks(rank, kept, width), masks)


def test_two_of_four_has_six_patterns() -> None:
    found = patterns.masks(np.arange(6, dtype=np.uint32), 2, 4).astype(int).tolist()
    assert found == [
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [0, 1, 1, 0],
        [1, 0, 0, 1],
        [0, 1, 0, 1],
        [0, 0, 1, 1],
    ]


def test_arrays_of_any_shape_go_there_and_back() -> None:
    rng = np.random.default_rng(2)
    rank = rng.integers(0, comb(8, 4), (3, 5, 2)).astype(np.uint32)
    masks = patterns.masks(rank, 4, 8)
    assert masks.shape == (3, 5, 2, 8)
    assert masks.dtype == np.bool_
    assert (masks.sum(axis=-1) == 4).all()
    assert np.array_equal(patterns.ranks(masks, 4), rank)


def test_no_groups_have_no_ranks() -> None:
    assert patterns.ranks(np.zeros((3, 0, 4), np.bool_), 2).shape == (3, 0)
    assert patterns.masks(np.zeros((3, 0), np.uint32), 2, 4).shape == (3, 0, 4)
