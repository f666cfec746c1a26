"""Twins of rounding.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.errors import UnsupportedError
from compress_core.kernels.floats import fp8_values, narrow
from compress_core.kernels.rounding import Coded, Rounding
from tests.compress_core.kernels.native.hostile import FINITE, both, check, matrices, sides

pytestmark = pytest.mark.usefixtures("library")

STORED = ("BF16", "F16", "F32")
NUMBERS = ("integer", "nf4", "F8_E4M3", "F8_E5M2", "e2m1", "ternary")
STEPS = {"integer": 7.0, "nf4": 1.0, "F8_E4M3": 448.0, "F8_E5M2": 57344.0, "e2m1": 6.0}


def roundings() -> st.SearchStrategy[Rounding]:
    """All formats, with what goes with integers of 4 bits."""
    return st.builds(
        lambda number, dtype, of_zero, low: Rounding(
            number, STEPS.get(number, 1.0), dtype, of_zero, low, 15, 8
        ),
        st.sampled_from(NUMBERS),
        st.sampled_from(STORED),
        st.sampled_from((1.0, 2.0**-23)),
        st.sampled_from((0, 1)),
    )


@st.composite
def inputs(draw: st.DrawFn) -> tuple[NDArray[Any], str, int]:
    """Finite floats as a file has them, their dtype, and the width of groups."""
    code = draw(st.sampled_from(STORED))
    raw = narrow(draw(matrices()), code)
    return raw, code, draw(st.integers(1, max(1, raw.shape[1])))


@settings(deadline=None)
@given(inputs(), roundings())
def test_codes_and_scales(given_: tuple[NDArray[Any], str, int], how: Rounding) -> None:
    """Or the same refusal, where a scale is too large for its dtype."""
    specification, twin = both("rounding.rounded")
    try:
        specification(*given_, how)
    except UnsupportedError as error:
        with pytest.raises(UnsupportedError, match=error.message):
            twin(*given_, how)
    else:
        check("rounding.rounded", *given_, how)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("code", STORED)
def test_wide_rows(number: Any, code: str) -> None:
    """Rows of several blocks, groups that are none of their divisors, and one of a whole row."""
    random = np.random.default_rng(0)
    raw = narrow(random.standard_normal((9, 1100), np.float32), code)
    how = Rounding(number, STEPS.get(number, 1.0), "F32", 1.0, 1, 15, 8)
    for width in (16, 64, 100, 128, 600, 1100):
        check("rounding.rounded", raw, code, width, how)


CODES = {"integer": 256, "nf4": 256, "e2m1": 256, "ternary": 3}


@st.composite
def coded(draw: st.DrawFn) -> tuple[NDArray[Any], str, Coded, str, int]:
    """Floats, codes, what codes are rounded to, and rows of a grain."""
    raw, code, width = draw(inputs())
    number: Any = draw(st.sampled_from(NUMBERS))
    known = np.arange(CODES.get(number, 0), dtype=np.uint8)
    if number.startswith("F8"):
        known = np.arange(256, dtype=np.uint8)[np.isfinite(fp8_values(number))]
    codes = draw(arrays.arrays(np.uint8, raw.shape, elements=st.sampled_from(known.tolist())))
    groups = -(-raw.shape[1] // width)
    scales = st.sampled_from([one for one in FINITE if one])
    unit = draw(arrays.arrays(np.float32, (len(raw), groups), elements=scales))
    to, grain = draw(st.sampled_from(STORED)), draw(st.integers(1, 50))
    return raw, code, Coded(codes, width, unit, number, zero=8), to, grain


@settings(deadline=None)
@given(coded())
def test_errors(given_: tuple[NDArray[Any], str, Coded, str, int]) -> None:
    check("rounding.rounding_errors", *given_)


@settings(deadline=None, max_examples=30)
@given(sides(9), st.integers(1, 1100), st.integers(1, 9), st.sampled_from(NUMBERS))
def test_errors_of_wide_rows(shape: tuple[int, int], width: int, grain: int, number: Any) -> None:
    """Grains that end within a span, and groups that go on over the end of one."""
    random = np.random.default_rng(shape[1])
    size = shape[0], shape[1] * 130
    raw = narrow(random.standard_normal(size, np.float32), "BF16")
    codes = random.integers(0, 3, size, np.uint8)
    unit = random.standard_normal((size[0], -(-size[1] // width)), np.float32)
    check("rounding.rounding_errors", raw, "BF16", Coded(codes, width, unit, number), "BF16", grain)
