"""Scales that are searched for: as good as those of many more trials, never worse than before."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.kernels import search
from compress_core.kernels.scales import nearest_scale
from compress_core.kernels.search import (
    Grid,
    asymmetric_scale,
    chunks,
    error_of,
    factors,
    polished,
    symmetric_scale,
)

Floats = NDArray[np.float32]
MOST_LOST = {2: 0.01, 3: 0.03, 4: 0.03, 5: 0.08}
"""Bits → dB, against the exhaustive search, of as few as 120 groups."""


def values(kind: str, width: int, groups: int = 120) -> Floats:
    """(width, groups) numbers."""
    rng = np.random.default_rng(width)
    drawn = rng.standard_normal if kind == "normal" else lambda shape: rng.standard_t(4, shape)
    return np.asarray(drawn((width, groups)), np.float32)


def absmax(given: Floats, bits: int, dtype: str) -> Floats:
    return nearest_scale(np.abs(given).max(axis=0) / np.float32(2 ** (bits - 1) - 1), dtype)


def full(bits: int, groups: int) -> Grid:
    half = np.float32(2 ** (bits - 1))
    return Grid(np.full(groups, -half, np.float32), np.full(groups, half - 1, np.float32))


def squared(given: Floats, scale: Floats, bits: int) -> NDArray[np.float64]:
    return error_of(given, scale, full(bits, len(scale)))


def decibels(before: Any, after: Any) -> float:
    return float(10 * np.log10(np.sum(before) / np.sum(after)))


@pytest.mark.parametrize("kind", ["normal", "heavy"])
@pytest.mark.parametrize("width", [32, 128, 384])
@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_few_factors_find_what_eighty_find(
    bits: int, negative: bool, width: int, kind: str
) -> None:
    given = values(kind, width)
    largest = np.abs(given).max(axis=0)
    least: Any = np.inf
    for share in np.linspace(0.2, 1.15, 80, dtype=np.float32):
        for sign in (1, -1) if negative else (1,):
            step = largest * share * np.float32(sign) / np.float32(2 ** (bits - 1))
            least = np.minimum(least, polished(given, step, full(bits, 120), "F32")[1])
    found = symmetric_scale(given, absmax(given, bits, "F32"), bits, "F32", negative=negative)
    assert decibels(squared(given, found, bits), least) < MOST_LOST[bits]


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_few_ranges_find_what_all_zero_points_find(bits: int) -> None:
    given = values("heavy", 64, 60) + np.float32(0.3)
    top = np.float32(2**bits - 1)
    low, high = np.minimum(given.min(axis=0), 0), np.maximum(given.max(axis=0), 0)
    scale = (high - low) / top
    zero = np.rint(-low / scale)
    least: Any = np.inf
    for at in range(2**bits):
        grid = Grid(np.full(60, -at, np.float32), np.full(60, top - at, np.float32))
        for share in np.linspace(0.3, 1.2, 40, dtype=np.float32):
            least = np.minimum(least, polished(given, scale * share, grid, "F32")[1])
    better, moved = asymmetric_scale(given, scale, zero, bits, "F32")
    assert decibels(error_of(given, better, Grid(-moved, top - moved)), least) < MOST_LOST[bits]


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("bits", range(2, 9))
def test_what_lies_on_a_grid_is_found_exactly(bits: int, negative: bool, dtype: str) -> None:
    half = 2 ** (bits - 1)
    rng = np.random.default_rng(bits)
    codes = rng.integers(-half, half, (40, 60)).astype(np.float32)
    codes[0] = -half
    given = codes * np.float32(0.375)
    if negative:
        given[:, ::2] *= -1
    found = symmetric_scale(given, absmax(given, bits, dtype), bits, dtype, negative=negative)
    wanted = np.full(60, 0.375, np.float32)
    if negative:
        wanted[::2] *= -1
    assert (np.abs(found) == 0.375).all()
    assert not squared(given, found, bits).any()


finite = st.floats(-(2.0**100), 2.0**100, width=32)


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
@pytest.mark.parametrize("bits", [2, 4, 8])
@settings(deadline=None, max_examples=60)
@given(given=arrays.arrays(np.float32, st.tuples(st.integers(1, 20), st.just(3)), elements=finite))
def test_no_group_gets_worse(bits: int, dtype: str, given: Floats) -> None:
    scale = np.where(given.any(axis=0), absmax(given, bits, dtype), np.float32(1))
    found = symmetric_scale(given, scale, bits, dtype, negative=True)
    assert (squared(given, found, bits) <= squared(given, scale, bits)).all()
    assert (found[~given.any(axis=0)] == 1).all()
    low, high = np.minimum(given.min(axis=0), 0), np.maximum(given.max(axis=0), 0)
    top = np.float32(2**bits - 1)
    reach = np.where(given.any(axis=0), nearest_scale((high - low) / top, dtype), np.float32(1))
    zero = np.clip(np.rint(-low / reach), 0, top)
    better, moved = asymmetric_scale(given, reach, zero, bits, dtype)
    assert ((moved >= 0) & (moved <= top) & (moved == np.rint(moved))).all()
    before = error_of(given, reach, Grid(-zero, top - zero))
    assert (error_of(given, better, Grid(-moved, top - moved)) <= before).all()


@pytest.mark.parametrize("width", [1, 5, 128, 129, 1000])
def test_neighbours_of_a_group_do_not_matter(width: int) -> None:
    given = values("heavy", width, 70)
    scale = absmax(given, 4, "F16")
    whole = symmetric_scale(given, scale, 4, "F16", negative=True)
    for part in (slice(0, 1), slice(3, 5), slice(30, 70)):
        piece = np.ascontiguousarray(given[:, part])
        alone = symmetric_scale(piece, scale[part], 4, "F16", negative=True)
        assert alone.tolist() == whole[part].tolist()


def test_negative_scales_are_for_groups_whose_largest_value_is_positive() -> None:
    given = values("normal", 16, 2000)
    found = symmetric_scale(given, absmax(given, 3, "F32"), 3, "F32", negative=True)
    extreme = np.take_along_axis(given, np.abs(given).argmax(axis=0)[None], axis=0)[0]
    assert ((found < 0) == (extreme > 0)).mean() > 0.7
    plain = symmetric_scale(given, absmax(given, 3, "F32"), 3, "F32", negative=False)
    assert (plain > 0).all()
    assert decibels(squared(given, plain, 3), squared(given, found, 3)) > 0.5


@pytest.mark.parametrize("bits", range(2, 9))
def test_factors_fall_evenly_from_beyond_the_largest_value(bits: int) -> None:
    found = factors(bits)
    assert found.dtype == np.float32
    assert found[0] > 1 > found[-1] > 0
    assert np.allclose(np.diff(found), found[1] - found[0], atol=1e-6)


@pytest.mark.parametrize("width", [1, 128, 10**7])
def test_chunks_are_all_groups_in_order(width: int) -> None:
    parts = list(chunks(100_000, width))
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]]
    assert parts[0].start == 0
    assert parts[-1].stop >= 100_000
    assert parts[0].stop * width <= max(search.CHUNK, 32 * width)


def test_every_processor_finds_the_same() -> None:
    """A digest of what is found today: whoever betters the search changes it."""
    hashes = (np.arange(64 * 50, dtype=np.uint64) * 2654435761 + 12345) % 2**32
    given = ((hashes.astype(np.float64) / 2**31 - 1) ** 3).astype(np.float32).reshape(64, 50)
    found = [
        symmetric_scale(given, absmax(given, bits, "F16"), bits, "F16", negative=True)
        for bits in (2, 4, 8)
    ]
    digest = hashlib.sha256(b"".join(one.tobytes() for one in found)).hexdigest()
    assert digest[:16] == "48c2f07a1a05f1d9"
