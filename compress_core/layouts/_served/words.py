"""Rows of codes as rows of 32-bit words, as compressed-tensors (0.18 and later) and MLX store them.

A row is one bit stream, least significant bit first, filled up with zero bits to whole words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def words(count: int, bits: int) -> int:
    """How many words hold so many codes."""
    return -(-count * bits // 32)


def pack_words(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int32]:
    """Rows of codes as rows of little-endian words: (rows, columns) → (rows, words)."""
    import numpy as np

    from compress_core.kernels.bits import pack

    packed = pack(codes, bits)
    filled = np.zeros((len(codes), 4 * words(codes.shape[1], bits)), np.uint8)
    filled[:, : packed.shape[1]] = packed
    return filled.view("<i4")


def unpack_words(stored: NDArray[Any], bits: int, columns: int) -> NDArray[np.uint8]:
    """The inverse of :func:`pack_words`, of words with or without a sign."""
    import numpy as np

    from compress_core.kernels.bits import unpack

    stream = np.ascontiguousarray(stored).view(np.uint8)
    codes: NDArray[np.uint8] = unpack(stream, bits, columns)
    return codes
