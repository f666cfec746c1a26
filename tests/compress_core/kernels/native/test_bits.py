"""Streams of codes are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")


@pytest.mark.parametrize("columns", [0, 1, 2, 3, 7, 8, 9, 15, 16, 31, 64, 65, 1000])
@pytest.mark.parametrize("bits", range(1, 17))
def test_every_width_of_codes_and_rows(bits: int, columns: int) -> None:
    dtype = np.uint8 if bits <= 8 else np.uint16
    codes = np.random.default_rng(columns).integers(0, 2**bits, (5, columns)).astype(dtype)
    codes[:1] = 2**bits - 1
    hostile.check("bits.pack", codes, bits)
    stream = np.random.default_rng(bits).integers(0, 256, (5, 2 * columns + 3)).astype(np.uint8)
    hostile.check("bits.unpack", stream[:, : -(-columns * bits // 8)], bits, columns)
    hostile.check("bits.unpack", stream, bits, columns)
    hostile.check("bits.unpack", stream[::2, 1:], bits, columns)


@pytest.mark.parametrize("bits", [1, 4, 8, 12])
def test_codes_of_any_dtype_and_order(bits: int) -> None:
    codes = np.arange(120).reshape(10, 12) % 2**bits
    hostile.check("bits.pack", codes.astype(np.uint16), bits)
    hostile.check("bits.pack", codes.astype(np.uint16).T, bits)
    hostile.check("bits.pack", codes.astype(np.uint16)[::3, ::2], bits)
