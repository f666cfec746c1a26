"""A tile: what passes do to it, and what a reader gets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.kernels import floats
from compress_core.schemes.base import Scheme
from compress_core.schemes.binary import Binary
from compress_core.schemes.integer import Integer
from compress_core.tensors import TensorInfo
from compress_core.tiles import Quantized, Tile

CODES = ["BF16", "F16", "F32", "F64"]
VALUES = np.array([[1.5, -2.0, 0.0, -0.0], [3.0, 0.25, -1.0, 8.0]], np.float32)
MASK = np.array([[True, False, False, False], [False, False, True, True]])
OTHER = np.array([[False, True, False, False], [False, False, True, False]])
SCHEMES: list[Scheme] = [
    Integer(bits=4, group_size="channel"),
    Integer(bits=4, group_size=2, symmetric=False),
    Integer(bits=4, group_size="channel", center="mean"),
    Binary(bits=1, group_size="channel"),
]


def tile_of(values: NDArray[np.float32], code: str = "F32", grain: int = 1) -> Tile:
    """A tile of a tensor that begins at row 4."""
    raw = floats.narrow(values, code)
    return Tile(TensorInfo("w", DTYPES[code], (10, values.shape[1]), 0), 4, raw, grain)


def quantized(tile: Tile, scheme: Scheme) -> Quantized:
    """Codes for the tile as it is."""
    found = scheme.fit(tile.values, tile.mask)
    return Quantized(scheme, scheme.encode(tile.values, found), found)


def bits(array: NDArray[Any]) -> bytes:
    """Every bit of an array."""
    return array.tobytes()


@pytest.mark.parametrize("code", CODES)
def test_a_new_tile_is_what_stands_in_the_file(code: str) -> None:
    tile = tile_of(VALUES, code)
    assert tile.plain is tile.raw
    assert (tile.start, tile.stop) == (4, 6)
    assert bits(tile.values) == bits(VALUES)
    assert bits(tile.stored()) == bits(tile.raw)


@pytest.mark.parametrize("code", CODES)
def test_pruning_zeroes_masked_elements_and_leaves_the_others_bit_for_bit(code: str) -> None:
    tile = tile_of(VALUES, code)
    before = bits(tile.raw)
    assert tile.values[0, 0] == 1.5
    tile.prune(MASK)
    assert tile.plain is tile.raw
    expected = np.where(MASK, np.float32(0), VALUES)
    assert bits(tile.values) == bits(expected)
    assert bits(tile.stored()) == bits(floats.narrow(expected, code))
    assert tile.stored().dtype == tile.raw.dtype
    assert bits(tile.raw) == before


def test_float64_keeps_the_precision_of_what_is_not_pruned() -> None:
    raw = np.array([[1 + 2.0**-50, 1e-300, 2.0]])
    tile = Tile(TensorInfo("w", DTYPES["F64"], (1, 3), 24), 0, raw, 1)
    tile.prune(np.array([[False, False, True]]))
    assert tile.stored().tolist() == [[1 + 2.0**-50, 1e-300, 0.0]]


def test_masks_add_up() -> None:
    tile = tile_of(VALUES)
    tile.prune(MASK)
    tile.prune(OTHER)
    assert tile.mask is not None
    assert tile.mask.tolist() == (MASK | OTHER).tolist()
    assert tile.values.tolist() == np.where(MASK | OTHER, 0, VALUES).tolist()


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("code", CODES)
def test_codes_give_the_values_and_are_rounded_once_to_the_original_dtype(
    scheme: Scheme, code: str
) -> None:
    tile = tile_of(VALUES, code)
    before = bits(tile.raw)
    codes = quantized(tile, scheme)
    tile.quantize(codes)
    assert tile.plain is None
    decoded = scheme.decode(codes.codes, codes.parameters)
    assert bits(tile.values) == bits(decoded)
    assert bits(tile.stored()) == bits(floats.narrow(decoded, code))
    assert bits(tile.raw) == before


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
@pytest.mark.parametrize("prune_first", [True, False])
def test_masked_elements_have_the_zero_code_and_decode_to_zero(
    scheme: Scheme, prune_first: bool
) -> None:
    tile = tile_of(VALUES)
    if prune_first:
        tile.prune(MASK)
    tile.quantize(quantized(tile, scheme))
    if not prune_first:
        tile.prune(MASK)
    assert tile.codes is not None
    zero = np.broadcast_to(scheme.zero_codes(tile.codes.parameters, 4), VALUES.shape)
    assert np.array_equal(tile.codes.codes[MASK], zero[MASK])
    assert tile.codes.codes.dtype == np.uint8
    assert not tile.values[MASK].any()
    decoded = scheme.decode(tile.codes.codes, tile.codes.parameters)
    assert np.array_equal(tile.values[~MASK], decoded[~MASK])


def test_pruning_codes_does_not_write_into_the_array_they_came_in() -> None:
    scheme = SCHEMES[0]
    tile = tile_of(VALUES)
    codes = quantized(tile, scheme)
    before = bits(codes.codes)
    tile.quantize(codes)
    tile.prune(MASK)
    assert bits(codes.codes) == before


def test_moved_values_take_the_place_of_codes_and_stay_masked() -> None:
    tile = tile_of(VALUES, "BF16")
    tile.prune(MASK)
    tile.quantize(quantized(tile, SCHEMES[0]))
    moved = VALUES * np.float32(1.01)
    before = bits(moved)
    tile.move(moved)
    assert tile.codes is None
    assert tile.plain is None
    expected = np.where(MASK, np.float32(0), moved)
    assert bits(tile.values) == bits(expected)
    assert bits(tile.stored()) == bits(floats.narrow(expected, "BF16"))
    assert bits(moved) == before


def test_float64_keeps_the_precision_of_what_does_not_move() -> None:
    raw = np.array([[1 + 2.0**-50, 1e-300, 2 + 2.0**-50, 1e-300]])
    tile = Tile(TensorInfo("w", DTYPES["F64"], (1, 4), 32), 0, raw, 1)
    tile.move(tile.values.clip(-1.5, 1.5))
    tile.prune(np.array([[False, False, False, True]]))
    assert tile.stored().tolist() == [[1 + 2.0**-50, 1e-300, 1.5, 0.0]]


def test_a_float64_element_that_did_not_move_keeps_its_precision() -> None:
    fine = 1 + 2.0**-50
    raw = np.array([[fine, fine, 2.0, fine]])
    tile = Tile(TensorInfo("w", DTYPES["F64"], (1, 4), 32), 0, raw, 1)
    tile.prune(np.array([[False, False, False, True]]))
    tile.move(np.array([[1.0, 1.5, 3.0, 1.0]], np.float32))
    assert tile.stored().tolist() == [[fine, 1.5, 3.0, 0.0]]
    scheme = SCHEMES[0]
    tile.quantize(quantized(tile, scheme))
    assert tile.stored().tolist() == tile.values.astype(np.float64).tolist()


def test_a_decoded_value_beyond_the_dtype_is_stored_as_its_largest_number() -> None:
    tile = tile_of(np.full((1, 2), 65504.0, np.float32), "F16")
    tile.move(np.array([[65520.0, np.inf]], np.float32))
    assert tile.stored().view(np.float16).tolist() == [[65504.0, 65504.0]]


@pytest.mark.parametrize(("grain", "firsts"), [(1, [0, 1, 2, 3, 4]), (2, [0, 2, 4]), (9, [0])])
def test_grains_are_counted_from_the_first_row_of_the_tile(grain: int, firsts: list[int]) -> None:
    assert list(tile_of(np.ones((5, 2), np.float32), grain=grain).grains()) == firsts


def test_a_tile_without_rows_has_no_grains() -> None:
    tile = tile_of(np.ones((0, 4), np.float32), grain=3)
    assert list(tile.grains()) == []
    assert tile.stored().shape == tile.values.shape == (0, 4)


def test_a_mask_may_be_read_only_and_broadcast() -> None:
    tile = tile_of(VALUES)
    tile.prune(np.broadcast_to(np.array([True, False, False, True]), VALUES.shape))
    tile.prune(np.broadcast_to(np.array([[False], [True]]), VALUES.shape))
    assert tile.values.tolist() == [[0.0, -2.0, 0.0, 0.0], [0.0] * 4]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("to", CODES)
def test_a_cast_rounds_what_is_kept_and_leaves_the_file_s_own_alone(code: str, to: str) -> None:
    tile = tile_of(VALUES * np.float32(1.01), code)
    before, raw = tile.values.copy(), bits(tile.raw)
    tile.prune(MASK)
    tile.cast(DTYPES[to])
    assert tile.dtype.code == to
    wide = np.where(MASK, np.float32(0), before)
    assert bits(tile.stored()) == bits(floats.narrow(wide, to))
    assert bits(tile.values) == bits(floats.widen(tile.stored(), to))
    assert bits(tile.raw) == raw


def test_a_cast_of_codes_is_what_they_are_decoded_to() -> None:
    tile = tile_of(VALUES, "F32")
    tile.quantize(quantized(tile, SCHEMES[1]))
    values, codes = tile.values.copy(), tile.codes
    tile.cast(DTYPES["BF16"])
    assert tile.codes is codes
    assert bits(tile.stored()) == bits(floats.narrow(values, "BF16"))


def test_a_cast_of_moved_values_rounds_them_once() -> None:
    halfway = np.float32(1 + 2.0**-8 + 2.0**-20)  # rounded to F16 first, it would go down
    tile = tile_of(VALUES, "F16")
    tile.move(np.full(VALUES.shape, halfway, np.float32))
    tile.cast(DTYPES["BF16"])
    assert (tile.values == 1 + 2.0**-7).all()
    raw = np.array([[1 + 2.0**-25, 1.5]])
    wide = Tile(TensorInfo("w", DTYPES["F64"], (1, 2), 16), 0, raw, 1)
    wide.move(np.array([[1.0, 1.0009765625]], np.float32))
    wide.cast(DTYPES["F32"])
    assert wide.stored().tolist() == [[1.0, 1.0009765625]]
