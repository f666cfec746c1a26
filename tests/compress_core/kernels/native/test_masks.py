"""Elements by a mask are those of NumPy, in every dtype."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")


@pytest.mark.parametrize("name", ["masks.zeroed", "masks.compacted"])
@pytest.mark.parametrize("dtype", ["<u1", "<u2", "<u4", "<u8", "<f4", "<f8", "|i1"])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (1, 7), (5, 64), (3, 129)])
def test_every_dtype_and_shape(shape: tuple[int, int], dtype: str, name: str) -> None:
    rng = np.random.default_rng(shape[1])
    bits = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize)).astype(np.uint8)
    array = bits.view(dtype)[:, :, 0]
    for share in (0.0, 0.5, 1.0):
        mask = rng.random(shape) < share
        hostile.check(name, array, mask)
        hostile.check(name, array[:, ::2], mask[:, ::2])
        hostile.check(name, array, np.broadcast_to(mask[:1], shape) if shape[0] else mask)
