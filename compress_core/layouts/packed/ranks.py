"""The rank stream of N:M pruned rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compress_core.errors import FormatError
from compress_core.kernels import bits, patterns
from compress_core.layouts.packed.runs import Run


def packed_ranks(kept: NDArray[np.bool_], runs: Sequence[Run]) -> NDArray[np.uint8]:
    """Ranks of all groups of (rows, columns) kept masks, each row a bit stream of its own."""
    rows = len(kept)
    streams = [np.zeros((rows, 0), np.bool_)]
    for run in runs:
        piece = kept[:, run.first : run.first + run.groups * run.width]
        masks = piece.reshape(rows, run.groups, run.width)
        if run.rank_bits:
            packed = bits.pack(patterns.ranks(masks, run.kept), run.rank_bits)
            streams.append(bits.unpack_mask(packed, run.groups * run.rank_bits))
    return bits.pack_mask(np.concatenate(streams, axis=1))


def unpacked_ranks(stream: NDArray[np.uint8], runs: Sequence[Run]) -> NDArray[np.bool_]:
    """The inverse of :func:`packed_ranks`: (rows, bytes) → kept masks (rows, columns).

    :raises FormatError: a rank that no pattern has.
    """
    rows = len(stream)
    places = bits.unpack_mask(stream, sum(run.groups * run.rank_bits for run in runs))
    pieces, at = [], 0
    for run in runs:
        own = bits.pack_mask(places[:, at : at + run.groups * run.rank_bits])
        at += run.groups * run.rank_bits
        ranks = np.zeros((rows, run.groups), np.uint32)
        if run.rank_bits:
            ranks[:] = bits.unpack(own, run.rank_bits, run.groups)
        if ranks.max(initial=0) >= run.patterns:
            raise FormatError(f"a rank beyond the {run.patterns} patterns of its groups")
        masks = patterns.masks(ranks, run.kept, run.width)
        pieces.append(masks.reshape(rows, run.groups * run.width))
    return np.concatenate(pieces, axis=1)
