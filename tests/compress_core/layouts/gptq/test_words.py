"""The parts, byte by byte, against what was worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from compress_core.container import Columns, Once, PartSpec
from compress_core.dtypes import DTYPES
from compress_core.layouts.gptq.words import Words
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form
from compress_core.tiles import Quantized

INT4 = Integer(4, 8, scale_dtype="F16")


def test_a_word_is_of_columns_of_the_weight() -> None:
    codes = np.arange(32, dtype=np.uint8).reshape(2, 16) % 16
    scale = np.array([[1, 0.5], [2, -4]], np.float32)
    found = Words().pieces(8, (16, 16), Quantized(INT4, codes, {"scale": scale}))
    assert found.keys() == {"qweight", "scales"}
    words, scales = found["qweight"], found["scales"]
    assert isinstance(words, Columns)
    assert isinstance(scales, Columns)
    assert words.first == scales.first == 8
    # the first word of each row, then the second ones
    assert words.array.tobytes() == bytes.fromhex("10325476 10325476 98badcfe 98badcfe")
    assert scales.array.tobytes() == np.array([[1, 2], [0.5, -4]], "<f2").tobytes()


@pytest.mark.parametrize(("bits", "zero"), [(4, "77777777"), (8, "7f7f7f7f")])
def test_zero_points_are_stored_less_one(bits: int, zero: str) -> None:
    scheme = Integer(bits, 8, scale_dtype="F16")
    codes, scale = np.zeros((8, 16), np.uint8), np.ones((8, 2), np.float32)
    found = Words().pieces(0, (8, 16), Quantized(scheme, codes, {"scale": scale}))
    zeros, groups = found["qzeros"], found["g_idx"]
    assert isinstance(zeros, Once)
    assert isinstance(groups, Once)
    assert zeros.array.tobytes() == bytes.fromhex(zero) * (2 * 8 * bits // 32)
    assert groups.array.tolist() == [0] * 8 + [1] * 8
    assert Words().parts((8, 16), scheme) == {
        "qweight": PartSpec("I32", (16 * bits // 32, 8), "columns"),
        "qzeros": PartSpec("I32", (2, 8 * bits // 32), "once"),
        "scales": PartSpec("F16", (2, 8), "columns"),
        "g_idx": PartSpec("I32", (16,), "once"),
    }


def test_a_scale_a_row_is_one_group() -> None:
    scheme = Integer(8, "channel", scale_dtype="F16")
    codes, scale = np.zeros((8, 16), np.uint8), np.ones((8, 1), np.float32)
    groups = Words().pieces(0, (8, 16), Quantized(scheme, codes, {"scale": scale}))["g_idx"]
    assert isinstance(groups, Once)
    assert not groups.array.any()


@pytest.mark.parametrize(
    ("scheme", "inputs", "held"),
    [
        (INT4, None, True),
        (Integer(8, "channel", scale_dtype="F16"), None, True),
        (INT4, "int8", False),
        (Integer(4, "tensor", scale_dtype="F16"), None, False),
        (Integer(4, 8, scale_dtype="BF16"), None, False),
        (Integer(4, 8, symmetric=False, scale_dtype="F16"), None, False),
        (Integer(4, 8, center="mean", scale_dtype="F16"), None, False),
        (Integer(3, 8, scale_dtype="F16"), None, False),
    ],
)
def test_which_codes_are_held(scheme: Integer, inputs: str | None, held: bool) -> None:
    assert Words().holds(Form(DTYPES["BF16"], scheme, inputs=inputs)) is held
