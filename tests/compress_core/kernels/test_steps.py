"""Steps from tallies: what is beyond a bound is counted, and what they find is nearly the best."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.kernels.codebooks import NF4
from compress_core.kernels.scaled import scaled_errors
from compress_core.kernels.steps import (
    PARTS,
    TOGETHER,
    Ladder,
    best_step,
    in_units,
    integer_ladder,
    ladder_of,
    nf4_ladder,
    nf4_step,
    tallied,
)

Floats = NDArray[np.float32]
LADDERS = [*map(integer_ladder, range(2, 6)), nf4_ladder()]

units = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.integers(1, 4)),
    elements=st.floats(-1, 1, width=32),
)


def values(kind: str, width: int, groups: int) -> Floats:
    """(width, groups) numbers."""
    rng = np.random.default_rng(width)
    drawn = rng.standard_normal if kind == "normal" else lambda shape: rng.standard_t(4, shape)
    return np.asarray(drawn((width, groups)), np.float32)


@settings(deadline=None, max_examples=60)
@given(units)
def test_every_row_counts_what_is_beyond_it(given: Floats) -> None:
    many, sums = tallied(given)
    parts = np.rint(given * np.float32(PARTS))
    for row in (1, 2, 64, PARTS, PARTS + 1):
        for side, signed in enumerate((parts, -parts)):
            assert many[side, row].tolist() == (signed >= row).sum(axis=0).tolist()
            beyond = np.where(signed >= row, signed, 0).sum(axis=0)
            assert sums[side, row].tolist() == beyond.tolist()


@pytest.mark.parametrize("ladder", LADDERS, ids=["int2", "int3", "int4", "int5", "nf4"])
def test_ladders_rise_to_the_outermost_numbers(ladder: Ladder) -> None:
    for array in (ladder.rises, ladder.energies):
        assert array.dtype == np.float32
        assert array.shape == ladder.rows.shape[1:]
        assert (array >= 0).all()
    assert ladder.rows.shape[2] % TOGETHER == 0
    assert (ladder.rows[:, ladder.rises == 0] == PARTS + 1).all()
    assert (np.diff(ladder.rows, axis=2) >= 0).all()
    assert np.allclose(ladder.energies.sum(axis=1), ladder.rises.sum(axis=1) ** 2)
    for rows in ladder.rows[:, ladder.rises > 0]:
        assert rows.min() >= 1


def test_the_rows_are_what_is_nearer_to_the_farther_number() -> None:
    ladder = ladder_of(np.array([-1, 0, 0.5, 1], np.float32), np.ones(1, np.float32))
    assert ladder.rows[0].tolist() == [[32, 96, 128, 128], [64, 128, 128, 128]]
    assert ladder.rises.tolist() == [[0.5, 0.5, 0, 0], [1, 0, 0, 0]]
    assert ladder.energies.tolist() == [[0.25, 0.75, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("kind", ["normal", "heavy"])
@pytest.mark.parametrize("width", [32, 64, 1000])
@pytest.mark.parametrize("negative", [False, True])
def test_a_tally_finds_what_a_hundred_scales_find(negative: bool, width: int, kind: str) -> None:
    given = values(kind, width, 300).T.copy()
    largest = np.abs(given).max(axis=1, keepdims=True)
    least: Any = np.inf
    for share in np.linspace(0.3, 1.2, 100, dtype=np.float32):
        for sign in (1, -1) if negative else (1,):
            step = largest * share * np.float32(sign)
            least = np.minimum(least, scaled_errors(given, None, width, step, "nf4"))
    found = nf4_step(given.T, negative=negative)[:, None]
    after = scaled_errors(given, None, width, found, "nf4")
    assert 10 * np.log10(after.sum() / least.sum()) < 0.05


def test_numbers_of_the_table_are_found() -> None:
    rng = np.random.default_rng(0)
    given = NF4[rng.integers(0, 16, (64, 50))]
    given[0] = -1
    for scale in (0.25, -3.0):
        found = nf4_step(given * np.float32(scale), negative=True)
        assert np.abs(found / np.float32(scale) - 1).max() < 0.01


def test_a_group_of_zeros_has_no_step() -> None:
    given = np.zeros((16, 3), np.float32)
    given[3, 1] = -(2.0**-149)
    assert (nf4_step(given, negative=True)[[0, 2]] == 0).all()
    assert (best_step(in_units(given)[0], integer_ladder(4), negative=True)[[0, 2]] == 0).all()


@pytest.mark.parametrize("width", [1, 5, 129])
def test_neighbours_of_a_group_do_not_matter(width: int) -> None:
    given = values("heavy", width, 70)
    whole = nf4_step(given, negative=True)
    for part in (slice(0, 1), slice(3, 5), slice(30, 70)):
        assert nf4_step(given[:, part], negative=True).tolist() == whole[part].tolist()
