"""How many are zeroed, from shapes alone."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.passes.prune.counting import kept_elements, share, units
from compress_core.tensors import Structure


@pytest.mark.parametrize(
    ("fraction", "count", "zeroed"),
    [
        (0.0, 7, 0),
        (1.0, 7, 7),
        (0.5, 7, 4),  # 3.5 and a half
        (0.5, 8, 4),
        (0.3, 3, 1),
        (0.3, 5, 2),  # 1.5 and a half
        (0.9, 3, 3),
        (0.9, 7, 6),
        (0.1, 3, 0),
        (0.1, 5, 1),
        (0.5, 0, 0),
        (1.0, 0, 0),
        (0.5, 10**12 + 1, (10**12 + 2) // 2),
    ],
)
def test_a_share_is_rounded_half_up(fraction: float, count: int, zeroed: int) -> None:
    assert share(fraction, count) == zeroed


@settings(deadline=None)
@given(st.integers(0, 64), st.integers(0, 10**9))
def test_a_share_that_floats_hold_exactly_is_exact(sixty_fourths: int, count: int) -> None:
    exact = math.floor(Fraction(sixty_fourths, 64) * count + Fraction(1, 2))
    assert share(sixty_fourths / 64, count) == min(exact, count)


@settings(deadline=None)
@given(st.floats(0, 1), st.integers(0, 10**6))
def test_a_share_is_never_more_than_there_is(fraction: float, count: int) -> None:
    assert 0 <= share(fraction, count) <= count


@pytest.mark.parametrize(
    ("structure", "grid"),
    [
        ("element", (7, 10)),
        ("2of4", (7, 10)),
        ("row", (7, 1)),
        ("column", (1, 10)),
        ("2x5", (4, 2)),
        ("7x10", (1, 1)),
        ("999999999x3", (1, 4)),
    ],
)
def test_units_are_a_grid(structure: str, grid: tuple[int, int]) -> None:
    assert units((7, 10), Structure.parse(structure)) == grid


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("matrix", [(4, 3), (5, 7), (1, 7), (6, 8)])
@pytest.mark.parametrize(
    ("structure", "scope"),
    [("element", "row"), ("element", "tensor"), ("row", "tensor"), ("column", "tensor")],
)
def test_what_is_kept_follows_from_the_shape(
    structure: str, scope: str, matrix: tuple[int, int], sparsity: float
) -> None:
    rows, columns = matrix

    def zeroed(count: int) -> int:
        return math.floor(sparsity * count + 0.5)

    expected = {
        ("element", "row"): rows * (columns - zeroed(columns)),
        ("element", "tensor"): rows * columns - zeroed(rows * columns),
        ("row", "tensor"): (rows - zeroed(rows)) * columns,
        ("column", "tensor"): (columns - zeroed(columns)) * rows,
    }[structure, scope]
    assert kept_elements(matrix, Structure.parse(structure), sparsity, scope) == expected


@pytest.mark.parametrize("columns", [1, 3, 4, 7, 8, 10])
@pytest.mark.parametrize(("kept", "width"), [(0, 4), (1, 4), (2, 4), (4, 4), (4, 8), (3, 5)])
def test_n_of_m_keeps_n_of_each_group_and_of_a_ragged_one_at_most_n(
    kept: int, width: int, columns: int
) -> None:
    sizes = [min(width, columns - first) for first in range(0, columns, width)]
    expected = 3 * sum(min(kept, size) for size in sizes)
    structure = Structure("nofm", kept, width)
    assert kept_elements((3, columns), structure, 0.0, "row") == expected


def test_blocks_that_do_not_divide_the_matrix_depend_on_the_data() -> None:
    block = Structure.parse("2x3")
    for matrix in ((5, 6), (4, 7)):
        assert kept_elements(matrix, block, 0.5, "tensor") is None
    assert kept_elements((4, 6), block, 0.5, "tensor") == 12
    assert kept_elements((4, 9), block, 0.5, "row") == 4 * 9 - 2 * 2 * 6


@pytest.mark.parametrize("structure", ["element", "row", "column", "2x2", "2of4"])
def test_nothing_is_kept_of_nothing(structure: str) -> None:
    for matrix in ((0, 4), (4, 0), (0, 0)):
        for scope in ("row", "tensor"):
            assert kept_elements(matrix, Structure.parse(structure), 0.5, scope) == 0


def test_counts_are_plain_integers() -> None:
    kept = kept_elements((4, 4), Structure("element"), float(np.float64(0.5)), "row")
    assert type(kept) is int
