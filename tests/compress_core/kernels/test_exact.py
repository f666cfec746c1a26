"""Sums without rounding on the way."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from compress_core.kernels.exact import exact_sum


@given(st.lists(st.floats(-1e100, 1e100)))
def test_a_sum_is_rounded_once(parts: list[float]) -> None:
    assert exact_sum(parts) == float(sum(map(Fraction, parts)))


def test_what_float64_cannot_hold_is_infinite() -> None:
    assert exact_sum([1.7e308, 1.7e308]) == math.inf
    assert exact_sum([math.inf, 1.0]) == math.inf
    assert exact_sum([math.inf, -math.inf]) == math.inf
