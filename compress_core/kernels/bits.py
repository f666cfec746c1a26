"""Codes of 1 to 16 bits as byte streams.

Element i takes bits [i·b, (i+1)·b), the least significant first.

The same stream as in compressed-tensors (0.18 and later) and MLX, cut into bytes instead of words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.twins import twin


def row_bytes(columns: int, bits: int) -> int:
    """Bytes of one row of ``columns`` codes."""
    return (columns * bits + 7) // 8


@twin
def pack(codes: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Rows of codes as rows of bytes: (rows, columns) → (rows, ``row_bytes``).

    Codes are unsigned and below ``2**bits``; the last byte is padded with zero bits.
    """
    rows, columns = codes.shape
    if bits == 8:
        return np.ascontiguousarray(codes, dtype=np.uint8)
    if bits > 8:
        return _pack_wide(codes, bits)
    eights = -(-columns // 8)
    words = np.zeros((rows, eights * 8), np.uint8)
    words[:, :columns] = codes
    width = bits
    # two neighbours become one of twice the width, until eight codes fill `bits` bytes of a word
    for wider, dtype in ((16, "<u2"), (32, "<u4"), (64, "<u8")):
        words = words.view(dtype)
        high = words >> words.dtype.type(wider // 2)
        high <<= words.dtype.type(width)
        words &= words.dtype.type((1 << width) - 1)
        words |= high
        width *= 2
        if width == 8:
            return words.astype(np.uint8)[:, : row_bytes(columns, bits)]
    stream = words.view(np.uint8).reshape(rows, eights, 8)[:, :, :bits]
    return np.ascontiguousarray(stream.reshape(rows, eights * bits)[:, : row_bytes(columns, bits)])


def _pack_wide(codes: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    spread = codes[:, :, None] >> np.arange(bits, dtype=codes.dtype) & codes.dtype.type(1)
    places = spread.reshape(len(codes), codes.shape[1] * bits).astype(np.bool_)
    return np.packbits(places, axis=1, bitorder="little")


@twin
def unpack(stream: NDArray[np.uint8], bits: int, columns: int) -> NDArray[Any]:
    """The inverse of :func:`pack`, as uint8 or (above 8 bits) uint16; shape (rows, columns)."""
    rows = stream.shape[0]
    if bits == 8:
        return stream[:, :columns].copy()
    if bits > 8:
        return _unpack_wide(stream, bits, columns)
    eights = -(-columns // 8)
    padded = np.zeros((rows, eights * bits), np.uint8)
    padded[:, : row_bytes(columns, bits)] = stream[:, : row_bytes(columns, bits)]
    wide = np.zeros((rows, eights, 8), np.uint8)
    wide[:, :, :bits] = padded.reshape(rows, eights, bits)
    words = wide.reshape(rows, eights * 8)
    for wider, dtype in ((64, "<u8"), (32, "<u4"), (16, "<u2")):
        words = words.view(dtype)
        width = bits * wider // 16
        low = words & words.dtype.type((1 << width) - 1)
        words >>= words.dtype.type(width)
        words &= words.dtype.type((1 << width) - 1)
        words <<= words.dtype.type(wider // 2)
        words |= low
    return words.view(np.uint8)[:, :columns]


def pack_words(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int32]:
    """Rows of codes as rows of little-endian words: (rows, columns) → (rows, words).

    The stream of :func:`pack`, filled up with zero bits.
    """
    packed = pack(codes, bits)
    words = np.zeros((len(codes), -(-packed.shape[1] // 4) * 4), np.uint8)
    words[:, : packed.shape[1]] = packed
    return words.view("<i4")


def unpack_words(words: NDArray[Any], bits: int, columns: int) -> NDArray[np.uint8]:
    """The inverse of :func:`pack_words`, of words with or without a sign; codes of up to 8 bits."""
    stream = np.ascontiguousarray(words).view(np.uint8)
    codes: NDArray[np.uint8] = unpack(stream, bits, columns)
    return codes


def _unpack_wide(stream: NDArray[np.uint8], bits: int, columns: int) -> NDArray[np.uint16]:
    spread = np.unpackbits(stream, axis=1, count=columns * bits, bitorder="little")
    places = spread.reshape(len(stream), columns, bits).astype(np.uint16)
    codes: NDArray[np.uint16] = np.bitwise_or.reduce(
        places << np.arange(bits, dtype=np.uint16), axis=2
    )
    return codes


def pack_mask(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Rows of booleans as rows of bits, least significant first."""
    return np.packbits(mask, axis=-1, bitorder="little")


def unpack_mask(stream: NDArray[np.uint8], columns: int) -> NDArray[np.bool_]:
    """The inverse of :func:`pack_mask`."""
    return np.unpackbits(stream, axis=-1, count=columns, bitorder="little").view(np.bool_)


def slice_bits(stream: NDArray[np.uint8], first: int, count: int) -> NDArray[np.uint8]:
    """``count`` bits of a stream from bit ``first``, moved to bit 0; unused high bits are zero."""
    start, shift = divmod(first, 8)
    taken = stream[start : (first + count + 7) // 8]
    if shift:
        following = np.append(taken[1:], np.uint8(0))
        taken = (taken >> np.uint8(shift)) | (following << np.uint8(8 - shift))
    taken = taken[: (count + 7) // 8].copy()
    if count % 8:
        taken[-1] &= np.uint8((1 << count % 8) - 1)
    return taken
