"""The rank stream of N:M pruned rows."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.errors import FormatError
from compress_core.kernels import bits
from compress_core.kernels.ranking import smallest_of_groups
from compress_core.layouts.packed.ranks import packed_ranks, unpacked_ranks
from compress_core.layouts.packed.runs import Run, runs


def masks(rows: int, columns: int, kept: int, width: int) -> NDArray[np.bool_]:
    """Random kept masks."""
    keys = np.random.default_rng(columns).integers(0, 1 << 30, (rows, columns)).astype(np.uint32)
    return ~smallest_of_groups(keys, kept, width)


def reference(row: list[bool], kept: int, width: int) -> bytes:
    """One row as a bit stream."""
    number, at = 0, 0
    for first in range(0, len(row), width):
        group = row[first : first + width]
        size = len(group)
        stay = min(kept, size)
        known = sorted(sum(1 << c for c in chosen) for chosen in combinations(range(size), stay))
        pattern = sum(1 << column for column, one in enumerate(group) if one)
        number |= known.index(pattern) << at
        at += (comb(size, stay) - 1).bit_length()
    return number.to_bytes((at + 7) // 8, "little")


SHAPES = [(2, 4), (0, 4), (4, 4), (1, 2), (4, 8), (3, 5), (8, 16)]


@pytest.mark.parametrize("columns", [1, 3, 4, 7, 16, 33])
@pytest.mark.parametrize(("kept", "width"), SHAPES)
def test_rows_are_streams_of_ranks(kept: int, width: int, columns: int) -> None:
    mask = masks(6, columns, kept, width)
    groups = runs(columns, kept, width)
    stream = packed_ranks(mask, groups)
    assert [row.tobytes() for row in stream] == [
        reference(row, kept, width) for row in mask.tolist()
    ]
    assert np.array_equal(unpacked_ranks(stream, groups), mask)


@pytest.mark.parametrize(("kept", "width"), SHAPES)
def test_any_bits_are_either_ranks_of_all_groups_or_an_error(kept: int, width: int) -> None:
    groups = runs(19, kept, width)
    size = packed_ranks(masks(1, 19, kept, width), groups).shape[1]
    rng = np.random.default_rng(0)
    refused = 0
    for stream in rng.integers(0, 256, (50, 1, size)).astype(np.uint8):
        try:
            found = unpacked_ranks(stream, groups)
        except FormatError:
            refused += 1
            continue
        again = packed_ranks(found, groups)
        used = sum(group.groups * group.rank_bits for group in groups)
        assert np.array_equal(bits.unpack_mask(again, used), bits.unpack_mask(stream, used))
    powers_of_two = all(1 << group.rank_bits == group.patterns for group in groups)
    assert (refused == 0) == powers_of_two


def test_a_rank_beyond_the_last_pattern_is_an_error() -> None:
    groups = runs(4, 2, 4)
    assert unpacked_ranks(np.array([[5]], np.uint8), groups).tolist() == [
        [False, False, True, True]
    ]
    with pytest.raises(FormatError, match="a rank beyond the 6 patterns"):
        unpacked_ranks(np.array([[6]], np.uint8), groups)


def test_runs_are_whole_groups_and_a_ragged_one() -> None:
    assert runs(8, 2, 4) == [Run(0, 2, 4, 2)]
    assert runs(11, 2, 4) == [Run(0, 2, 4, 2), Run(8, 1, 3, 2)]
    assert runs(9, 2, 4) == [Run(0, 2, 4, 2), Run(8, 1, 1, 1)]
    assert [run.rank_bits for run in runs(11, 2, 4)] == [3, 2]


def test_no_rows_have_no_ranks() -> None:
    groups = runs(10, 2, 4)
    assert packed_ranks(np.zeros((0, 10), np.bool_), groups).shape[0] == 0
    assert unpacked_ranks(np.zeros((0, 1), np.uint8), groups).shape == (0, 10)
