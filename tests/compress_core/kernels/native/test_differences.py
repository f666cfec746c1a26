"""Sums of squares are those of NumPy, bit for bit, for every pair of dtypes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.dtypes import DTYPES
from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")

CODES = ("BF16", "F16", "F32", "F64", "F8_E4M3", "F8_E5M2", "F8_E8M0")
COUNTS = (0, 1, 2, 3, 5, 64, 100, 127, 128, 129, 255, 256, 1000, 65536)


@pytest.mark.parametrize("count", COUNTS)
def test_every_number_of_elements(count: int) -> None:
    rng = np.random.default_rng(count)
    a = (rng.standard_normal(count).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    b = np.where(rng.random(count) < 0.2, a, np.uint16(0))
    for codes in (("BF16", "BF16"), ("F16", "F16"), ("F16", "BF16")):
        hostile.check("differences.measured", a, b, codes)
        hostile.check("differences.weight", a, codes[0])


@pytest.mark.parametrize("code", CODES)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_pattern_of_bits(code: str, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 300))
    a = data.draw(hostile.raw(code, (count,)))
    hostile.check("differences.weight", a, code)
    other = data.draw(st.sampled_from(CODES))
    hostile.check("differences.measured", a, data.draw(hostile.raw(other, (count,))), (code, other))
    hostile.check("differences.measured", a, a, (code, code))


def test_rows_that_are_not_contiguous() -> None:
    a = np.arange(96, dtype=np.uint16).reshape(8, 12)
    assert DTYPES["BF16"].storage == "<u2"
    hostile.check("differences.measured", a[:, ::2], a[:, 1::2], ("BF16", "F16"))
    hostile.check("differences.weight", a.T, "BF16")
