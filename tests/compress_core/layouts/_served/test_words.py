"""Rows of codes in 32-bit words."""

from __future__ import annotations

import pytest

from compress_core.layouts._served.words import words


@pytest.mark.parametrize(("count", "bits", "held"), [(32, 3, 3), (8, 4, 1), (9, 4, 2), (0, 8, 0)])
def test_words_hold_whole_rows(count: int, bits: int, held: int) -> None:
    assert words(count, bits) == held
