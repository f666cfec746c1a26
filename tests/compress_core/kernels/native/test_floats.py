"""Every float of 16 and 8 bits, and what is rounded to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tests.compress_core.kernels.native import hostile

pytestmark = pytest.mark.usefixtures("library")

NARROW = ("BF16", "F16", "F8_E4M3", "F8_E5M2", "F32", "F64")


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_every_pattern_of_16_bits_is_widened(code: str) -> None:
    hostile.check("floats.widen", hostile.every_pattern(), code)


@pytest.mark.parametrize("code", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"])
def test_every_pattern_of_8_bits_is_widened(code: str) -> None:
    hostile.check("floats.widen", np.arange(256, dtype=np.uint8).reshape(16, 16), code)


@pytest.mark.parametrize("code", ["F32", "F64"])
@given(hostile.raw("F32", (3, 5)))
def test_wide_floats_are_taken_too(code: str, raw: NDArray[np.float32]) -> None:
    hostile.check("floats.widen", raw if code == "F32" else raw.astype(np.float64), code)


@pytest.mark.parametrize("code", NARROW)
def test_numbers_of_16_bits_and_their_neighbours_are_narrowed(code: str) -> None:
    for rest in (0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0x1000, 0xFFFF):
        bits = hostile.every_pattern().astype(np.uint32) << np.uint32(16) | np.uint32(rest)
        values = bits.view(np.float32)
        # which NaN an F16 has after rounding is up to the processor: they are not compared
        given = values[~np.isnan(values)] if code == "F16" else values
        hostile.check("floats.narrow", given, code)


@pytest.mark.parametrize("code", NARROW)
@settings(deadline=None)
@given(hostile.matrices(hostile.ALL))
def test_odd_values_are_narrowed(code: str, values: NDArray[np.float32]) -> None:
    hostile.check("floats.narrow", values, code)


@pytest.mark.parametrize("code", NARROW)
@pytest.mark.parametrize("shape", [(1,), (0, 3), (2, 3, 5)])
def test_any_shape_is_kept(shape: tuple[int, ...], code: str) -> None:
    hostile.check("floats.narrow", np.ones(shape, np.float32), code)
    hostile.check("floats.widen", np.ones(shape, np.uint16), "F16")


@pytest.mark.parametrize("code", [*NARROW, "F8_E8M0"])
@given(data=st.data())
def test_what_is_not_finite_is_found(code: str, data: st.DataObject) -> None:
    hostile.check("floats.has_nonfinite", data.draw(hostile.raw(code, (2, 3))), code)
    hostile.check("floats.has_nonfinite", data.draw(hostile.raw(code, (0, 3))), code)


@pytest.mark.parametrize("code", ["BF16", "F16"])
def test_the_edge_of_what_is_finite(code: str) -> None:
    for pattern in hostile.every_pattern()[::127]:
        hostile.check("floats.has_nonfinite", np.full((1, 40), pattern), code)
    for pattern in (0x7F7F, 0x7F80, 0xFF80, 0x7BFF, 0x7C00, 0xFC01):
        hostile.check("floats.has_nonfinite", np.array([[0, pattern]], np.uint16), code)


@given(arrays.arrays(np.float32, (6, 8)))
def test_what_is_not_contiguous_is_taken(values: NDArray[np.float32]) -> None:
    hostile.check("floats.narrow", values.T[::2], "BF16")
    hostile.check("floats.widen", values.view(np.uint16)[:, ::2], "BF16")
