"""Ranks of N:M masks are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.kernels.patterns import patterns_of
from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")


def test_a_rank_that_no_pattern_has_is_refused() -> None:
    for one in hostile.both("patterns.masks"):
        with pytest.raises(IndexError):
            one(np.array([5, 6], np.uint32), 2, 4)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 16])
def test_every_pattern_of_a_width(width: int) -> None:
    for kept in range(width + 1):
        count = len(patterns_of(kept, width))
        rank = np.random.default_rng(kept).integers(0, count, (3, 40)).astype(np.uint32)
        for some in (np.arange(count, dtype=np.uint32), rank, rank[:, ::2], rank[:0]):
            hostile.check("patterns.masks", some, kept, width)
            mask = hostile.both("patterns.masks")[0](some, kept, width)
            hostile.check("patterns.ranks", mask, kept)
            hostile.check("patterns.ranks", np.asfortranarray(mask), kept)
