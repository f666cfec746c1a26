"""The rank stream of N:M pruned rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels import bits, patterns
from compress_core.layouts.packed.arrangement import Ranked, rank_bits


def packed_ranks(kept: NDArray[np.bool_], arrangement: Ranked) -> NDArray[np.uint8]:
    """Ranks of all groups of (rows, columns) kept masks, each row a bit stream of its own."""
    rows = len(kept)
    streams = []
    for first, groups, width, count in arrangement.pieces:
        piece = kept[:, first : first + groups * width].reshape(rows, groups, width)
        per_rank = rank_bits(count, width)
        if per_rank:
            packed = bits.pack(patterns.ranks(piece, count), per_rank)
            streams.append(bits.unpack_mask(packed, groups * per_rank))
    whole = np.concatenate(streams, axis=1) if streams else np.zeros((rows, 0), np.bool_)
    return bits.pack_mask(whole)


def unpacked_ranks(stream: NDArray[np.uint8], arrangement: Ranked) -> NDArray[np.bool_]:
    """The inverse of :func:`packed_ranks`: (rows, bytes) → kept masks (rows, columns)."""
    rows = len(stream)
    places = bits.unpack_mask(stream, arrangement.rank_row_bits)
    pieces, at = [], 0
    for _, groups, width, count in arrangement.pieces:
        per_rank = rank_bits(count, width)
        own = bits.pack_mask(places[:, at : at + groups * per_rank])
        at += groups * per_rank
        rank = bits.unpack(own, per_rank, groups) if per_rank else np.zeros((rows, groups))
        piece = patterns.masks(rank.astype(np.uint32), count, width)
        pieces.append(piece.reshape(rows, groups * width))
    return np.concatenate(pieces, axis=1)
