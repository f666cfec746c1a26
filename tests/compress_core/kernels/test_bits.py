"""Bit streams against Python's integers, which have any number of bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.kernels import bits

WIDTHS = range(1, 17)


def reference(row: list[int], width: int) -> bytes:
    """One row as a byte stream."""
    whole = sum(code << (place * width) for place, code in enumerate(row))
    return whole.to_bytes((len(row) * width + 7) // 8, "little")


def codes_of(width: int, rows: int, columns: int, dtype: Any = None) -> NDArray[Any]:
    """Random codes, with the lowest and the highest among them."""
    rng = np.random.default_rng(width * 1000 + columns)
    codes = rng.integers(0, 1 << width, (rows, columns))
    codes.reshape(-1)[::7] = (1 << width) - 1
    codes.reshape(-1)[3::7] = 0
    return codes.astype(dtype or (np.uint8 if width <= 8 else np.uint16))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("columns", [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 64, 65])
def test_rows_become_streams_and_come_back(width: int, columns: int) -> None:
    codes = codes_of(width, 5, columns)
    before = codes.copy()
    packed = bits.pack(codes, width)
    assert packed.dtype == np.uint8
    assert packed.shape == (5, bits.row_bytes(columns, width))
    assert [row.tobytes() for row in packed] == [reference(row, width) for row in codes.tolist()]
    assert np.array_equal(codes, before)
    assert np.array_equal(bits.unpack(packed, width, columns), codes)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (3, 0)])
def test_nothing_is_packed_as_nothing(width: int, shape: tuple[int, int]) -> None:
    packed = bits.pack(codes_of(width, *shape), width)
    assert packed.shape == (shape[0], bits.row_bytes(shape[1], width))
    assert bits.unpack(packed, width, shape[1]).shape == shape


@pytest.mark.parametrize("width", WIDTHS)
def test_codes_may_have_a_wider_dtype(width: int) -> None:
    narrow = codes_of(width, 3, 11)
    assert np.array_equal(bits.pack(narrow.astype(np.uint32), width), bits.pack(narrow, width))


@pytest.mark.parametrize("width", WIDTHS)
def test_arrays_of_any_strides_are_packed(width: int) -> None:
    codes = codes_of(width, 12, 26)
    for view in (codes[::2, 1::3], codes.T, codes[::-1]):
        assert np.array_equal(bits.pack(view, width), bits.pack(view.copy(), width))
    stream = bits.pack(codes, width)
    assert np.array_equal(bits.unpack(stream[::2], width, 26), codes[::2])


@pytest.mark.parametrize("width", WIDTHS)
def test_padding_bits_are_zero_when_written_and_not_looked_at_when_read(width: int) -> None:
    codes = codes_of(width, 2, 5)
    stream = bits.pack(codes, width)
    spare = stream.shape[1] * 8 - 5 * width
    garbage = stream.copy()
    if spare:
        assert (stream[:, -1] >> (8 - spare) == 0).all()
        garbage[:, -1] |= np.uint8(0xFF << (8 - spare) & 0xFF)
    longer = np.concatenate([garbage, np.full((2, 3), 0xFF, np.uint8)], axis=1)
    assert np.array_equal(bits.unpack(longer, width, 5), codes)


@pytest.mark.parametrize("width", range(2, 9))
def test_words_are_the_stream_and_zero_bits(width: int) -> None:
    codes = codes_of(width, 5, 77)
    words = bits.pack_words(codes.astype(np.uint8), width)
    assert (words.dtype, words.shape) == (np.dtype("<i4"), (5, -(-77 * width // 32)))
    stream = bits.pack(codes, width)
    assert np.array_equal(words.view(np.uint8)[:, : stream.shape[1]], stream)
    assert not words.view(np.uint8)[:, stream.shape[1] :].any()
    assert np.array_equal(bits.unpack_words(words, width, 77), codes)
    assert np.array_equal(bits.unpack_words(words.T.copy().T, width, 77), codes)


@pytest.mark.parametrize("width", WIDTHS)
def test_unpacking_leaves_the_stream_alone(width: int) -> None:
    stream = bits.pack(codes_of(width, 4, 16), width)
    before = stream.copy()
    stream.flags.writeable = False
    codes = bits.unpack(stream, width, 16)
    codes[:] = 0
    assert np.array_equal(stream, before)


@settings(deadline=None)
@given(st.data())
def test_any_row_of_any_width_is_its_number(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 16))
    row = data.draw(st.lists(st.integers(0, (1 << width) - 1), max_size=40))
    codes = np.array([row], np.uint16).reshape(1, len(row))
    assert bits.pack(codes, width)[0].tobytes() == reference(row, width)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_a_mask_is_a_stream_of_one_bit_codes(row: list[bool]) -> None:
    mask = np.array([row, row], np.bool_).reshape(2, len(row))
    packed = bits.pack_mask(mask)
    assert packed[1].tobytes() == reference([int(kept) for kept in row], 1)
    back = bits.unpack_mask(packed, len(row))
    assert back.dtype == np.bool_
    assert np.array_equal(back, mask)


@settings(deadline=None)
@given(st.binary(max_size=12), st.data())
def test_a_slice_of_a_stream_is_a_slice_of_its_number(stream: bytes, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(stream) * 8))
    count = data.draw(st.integers(0, len(stream) * 8 - first))
    taken = bits.slice_bits(np.frombuffer(stream, np.uint8), first, count)
    number = int.from_bytes(stream, "little") >> first & ((1 << count) - 1)
    assert taken.tobytes() == number.to_bytes((count + 7) // 8, "little")


def test_a_slice_is_not_a_view() -> None:
    stream = np.array([0xFF, 0xFF], np.uint8)
    bits.slice_bits(stream, 0, 13)[:] = 0
    assert stream.tolist() == [0xFF, 0xFF]


def test_codes_cross_words_and_the_first_is_the_lowest() -> None:
    packed = bits.pack_words(np.arange(11, dtype=np.uint8).reshape(1, 11) % 8, 3)
    number = sum((code % 8) << 3 * code for code in range(11))
    assert packed.view("<u4").tolist() == [[number & 0xFFFFFFFF, number >> 32]]


@pytest.mark.parametrize("dtype", ["<i4", "<u4"])
@pytest.mark.parametrize("width", range(1, 9))
def test_words_come_back_with_a_sign_or_without(width: int, dtype: str) -> None:
    codes = np.random.default_rng(width).integers(0, 2**width, (5, 77)).astype(np.uint8)
    np.testing.assert_array_equal(
        bits.unpack_words(bits.pack_words(codes, width).view(dtype), width, 77), codes
    )
