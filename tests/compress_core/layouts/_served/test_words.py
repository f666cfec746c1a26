"""Rows of codes in 32-bit words."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.layouts._served.words import pack_words, unpack_words, words


@pytest.mark.parametrize(("count", "bits", "held"), [(32, 3, 3), (8, 4, 1), (9, 4, 2), (0, 8, 0)])
def test_words_hold_whole_rows(count: int, bits: int, held: int) -> None:
    assert words(count, bits) == held


def test_codes_cross_words_and_the_first_is_the_lowest() -> None:
    packed = pack_words(np.arange(11, dtype=np.uint8).reshape(1, 11) % 8, 3)
    number = sum((code % 8) << 3 * code for code in range(11))
    assert packed.view("<u4").tolist() == [[number & 0xFFFFFFFF, number >> 32]]


@pytest.mark.parametrize("dtype", ["<i4", "<u4"])
@pytest.mark.parametrize("bits", range(1, 9))
def test_they_come_back_with_a_sign_or_without(bits: int, dtype: str) -> None:
    codes = np.random.default_rng(bits).integers(0, 2**bits, (5, 77)).astype(np.uint8)
    np.testing.assert_array_equal(
        unpack_words(pack_words(codes, bits).view(dtype), bits, 77), codes
    )
