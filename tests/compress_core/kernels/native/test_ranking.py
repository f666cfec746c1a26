"""Which keys are the smallest: as NumPy says, ties too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")

DTYPES = (np.uint16, np.uint32, np.uint64)


def keys_of(dtype: Any, shape: tuple[int, ...], kinds: int) -> NDArray[Any]:
    """Keys with so many different values, the largest of the dtype among them."""
    rng = np.random.default_rng(kinds)
    some = rng.integers(0, np.iinfo(dtype).max, kinds, dtype=dtype, endpoint=True)
    some[0] = np.iinfo(dtype).max
    return np.asarray(rng.choice(some, shape))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kinds", [1, 2, 5, 100_000])
@pytest.mark.parametrize("columns", [1, 2, 7, 64, 256, 257, 1000])
def test_k_of_a_row(columns: int, kinds: int, dtype: Any) -> None:
    keys = keys_of(dtype, (4, columns), kinds)
    for k in {-1, 0, 1, columns // 2, columns - 1, columns, columns + 1}:
        hostile.check("ranking.smallest", keys, k)
    hostile.check("ranking.smallest", keys[:, ::2], 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kinds", [1, 3, 50, 100_000])
def test_below_a_bound(kinds: int, dtype: Any) -> None:
    keys = keys_of(dtype, (5, 300), kinds)
    for bound in {0, int(keys.min()), int(np.sort(keys.reshape(-1))[700]), int(keys.max())}:
        for skipped in (0, 1, 255, 256, 257, 1499, 1500, 2000):
            hostile.check("ranking.below", keys, bound, skipped)
    hostile.check("ranking.below", keys.T, int(keys[0, 0]), 2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 16, 17, 32])
def test_k_of_groups(width: int, dtype: Any) -> None:
    for kinds in (2, 5, 100_000):
        keys = keys_of(dtype, (3, 7, width), kinds)
        for k in range(width + 1):
            hostile.check("ranking.of_groups", keys, k)


@pytest.mark.parametrize("dtype", DTYPES)
def test_histograms_of_every_digit(dtype: Any) -> None:
    width = np.dtype(dtype).itemsize * 8
    keys = keys_of(dtype, (3, 1000), 40)
    for known in range(0, width, 16):
        prefixes = {0, int(keys[0, 0]) >> (width - known), int(keys.max()) >> (width - known)}
        for prefix in prefixes if known else {0}:
            hostile.check("ranking.digit_histogram", keys, width, prefix, known)


@settings(deadline=None)
@given(
    arrays.arrays(
        np.uint16,
        st.tuples(st.integers(0, 5), st.integers(0, 40)),
        elements=st.integers(0, 3) | st.integers(0, 65535),
    ),
    st.integers(-1, 50),
)
def test_any_keys(keys: NDArray[np.uint16], k: int) -> None:
    hostile.check("ranking.smallest", keys, k)
    hostile.check("ranking.below", keys, 2, max(k, 0))
    hostile.check("ranking.digit_histogram", keys, 16, 0, 0)
