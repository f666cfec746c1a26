"""Rows of codes as rows of 32-bit words, as compressed-tensors (0.18 and later) and MLX store them.

A row is one bit stream, least significant bit first, filled up with zero bits to whole words.
"""

from __future__ import annotations


def words(count: int, bits: int) -> int:
    """How many words hold so many codes."""
    return -(-count * bits // 32)
