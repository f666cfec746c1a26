"""The parts of every format, byte by byte, against what was worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.container import Once, Piece, Rows
from compress_core.layouts.compressed_tensors.bytes_of_codes import FloatBytes, IntegerBytes
from compress_core.layouts.compressed_tensors.packed_integers import PackedIntegers
from compress_core.layouts.compressed_tensors.small_floats import Mxfp4Pairs, Nvfp4Pairs
from compress_core.layouts.compressed_tensors.storage import Storage
from compress_core.schemes.base import Scheme
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.fp8_block import Fp8Block
from compress_core.schemes.integer import Integer
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.tiles import Quantized


def stored(
    storage: Storage, scheme: Scheme, codes: NDArray[np.uint8], *, cut: int = 0, **figures: Any
) -> dict[str, bytes]:
    """The bytes of all parts of a weight with these codes, written in two tiles."""
    parameters = {name: np.asarray(value) for name, value in figures.items()}
    found: dict[str, bytes] = {}
    specs = storage.parts((codes.shape[0], codes.shape[1]), scheme)
    for rows in (slice(0, cut), slice(cut, None)) if cut else (slice(None),):
        own = {
            name: value if len(value) == 1 else value[rows] for name, value in parameters.items()
        }
        quantized = Quantized(scheme, codes[rows], own)
        pieces = storage.pieces(rows.start or 0, (codes.shape[0], codes.shape[1]), quantized)
        assert pieces.keys() <= specs.keys()
        for name, piece in pieces.items():
            found[name] = found.get(name, b"") + _bytes(piece)
    assert {name: len(data) for name, data in found.items()} == {
        name: spec.nbytes for name, spec in specs.items()
    }
    return found


def _bytes(piece: Piece) -> bytes:
    assert isinstance(piece, Rows | Once)
    return piece.array.tobytes()


def column(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)[:, None]


def test_four_bits_fill_words_from_the_lowest_bit() -> None:
    codes = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [15, 0, 0, 0, 0, 0, 0, 9]], np.uint8)
    found = stored(PackedIntegers(), Integer(4, "channel"), codes, cut=1, scale=column(1, 0.5))
    assert found == {
        "weight_packed": bytes.fromhex("21436587 0f000090"),
        "weight_scale": bytes.fromhex("0000803f 0000003f"),
        "weight_shape": bytes.fromhex("0200000000000000 0800000000000000"),
    }


def test_a_row_is_filled_up_with_zero_bits() -> None:
    codes = np.array([[255, 1, 2, 3, 4]], np.uint8)
    found = stored(PackedIntegers(), Integer(8, "channel"), codes, scale=column(1))
    assert found["weight_packed"] == bytes.fromhex("ff010203 04000000")


def test_three_bits_cross_words() -> None:
    codes = np.full((1, 32), 5, np.uint8)  # 101 101 101 …
    found = stored(PackedIntegers(), Integer(3, 32, scale_dtype="BF16"), codes, scale=column(2))
    assert found["weight_packed"] == bytes.fromhex("6ddbb66ddbb66ddbb66ddbb6")
    assert found["weight_scale"] == bytes.fromhex("0040")


def test_groups_have_scales_side_by_side() -> None:
    codes = np.zeros((1, 64), np.uint8)
    scale = np.array([[1, -2]], np.float32)
    found = stored(PackedIntegers(), Integer(4, 32, scale_dtype="F16"), codes, scale=scale)
    assert found["weight_scale"] == bytes.fromhex("003c 00c0")


def test_one_scale_for_the_tensor_is_a_vector() -> None:
    scheme = Integer(4, "tensor")
    assert PackedIntegers().parts((3, 8), scheme)["weight_scale"].shape == (1,)
    found = stored(PackedIntegers(), scheme, np.zeros((3, 8), np.uint8), cut=2, scale=column(4))
    assert found["weight_scale"] == bytes.fromhex("00008040")


def test_zero_points_are_packed_along_the_rows() -> None:
    scheme = Integer(4, 2, symmetric=False)
    zeros = np.array([[row % 16, 15 - row % 16] for row in range(10)], np.uint8)
    assert PackedIntegers().row_multiple(scheme) == 8
    assert PackedIntegers().parts((10, 4), scheme)["weight_zero_point"].shape == (2, 2)
    codes, scale = np.zeros((10, 4), np.uint8), np.ones((10, 2), np.float32)
    found = stored(PackedIntegers(), scheme, codes, cut=8, scale=scale, zero_point=zeros)
    # rows 0 … 7 of the first column, those of the second, then rows 8 and 9
    assert found["weight_zero_point"] == bytes.fromhex("10325476 efcdab89 98000000 67000000")


def test_a_zero_point_of_the_tensor_is_a_signed_byte() -> None:
    scheme = Integer(4, "tensor", symmetric=False)
    codes, zero = np.zeros((2, 8), np.uint8), np.array([[3]], np.uint8)
    found = stored(PackedIntegers(), scheme, codes, scale=column(1), zero_point=zero)
    assert found["weight_zero_point"] == bytes.fromhex("fb")  # 3 - 8


def test_eight_bits_beside_int8_inputs_are_signed_bytes() -> None:
    codes = np.array([[128, 129, 255, 1]], np.uint8)
    found = stored(
        IntegerBytes(), Integer(8, "channel", scale_dtype="BF16"), codes, scale=column(1)
    )
    assert found == {"weight": bytes.fromhex("00017f81"), "weight_scale": bytes.fromhex("803f")}


def test_8_bit_floats_are_their_patterns() -> None:
    scheme = Fp8(8, "channel", scale_dtype="F32")
    codes = scheme.encode(np.array([[1, -2, 448, 0]], np.float32), {"scale": column(1)})
    found = stored(FloatBytes(), scheme, codes, scale=column(1))
    assert found["weight"] == bytes.fromhex("38c07e00")
    assert FloatBytes().parts((1, 4), scheme)["weight"].dtype == "F8_E4M3"


def test_blocks_have_a_scale_for_128_rows() -> None:
    scheme = Fp8Block(8, 128)
    values = np.zeros((130, 256), np.float32)
    values[5, 0], values[127, 255], values[129, 7] = 448, -896, 1344
    parameters = scheme.fit(values, None)
    codes = scheme.encode(values, parameters)
    found = stored(FloatBytes(), scheme, codes, cut=128, scale=parameters["scale"])
    scale = np.frombuffer(found["weight_scale"], np.float32).reshape(2, 2)
    np.testing.assert_array_equal(scale, [[1, 2], [3, 1]])
    assert FloatBytes().row_multiple(scheme) == 128
    assert FloatBytes().weights(scheme)["block_structure"] == [128, 128]


def test_nvfp4_has_two_codes_a_byte_a_scale_a_group_and_a_divisor() -> None:
    scheme = Nvfp4(4, 16)
    codes = np.array([[*range(16)]], np.uint8)
    whole = np.array([[512]], np.float32)
    found = stored(Nvfp4Pairs(), scheme, codes, scale=column(448), global_scale=whole)
    assert found == {
        "weight_packed": bytes.fromhex("1032547698badcfe"),
        "weight_scale": bytes.fromhex("7e"),
        "weight_global_scale": bytes.fromhex("00000044"),
    }


def test_mxfp4_has_exponents() -> None:
    scheme = Mxfp4(4, 32)
    codes = np.array([[*range(16), *range(16)]], np.uint8)
    found = stored(Mxfp4Pairs(), scheme, codes, scale=column(0.25))
    assert found == {
        "weight_packed": bytes.fromhex("1032547698badcfe" * 2),
        "weight_scale": bytes([125]),
    }
    assert Mxfp4Pairs().parts((1, 32), scheme)["weight_scale"].dtype == "U8"
