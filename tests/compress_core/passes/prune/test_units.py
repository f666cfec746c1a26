"""Keys of units: what is worth more has the higher key."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.kernels import floats
from compress_core.kernels.hashing import hash_keys
from compress_core.passes.base import Target
from compress_core.passes.prune.units import Scoring, count_units, key_width, norms
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form, Structure, TensorInfo
from compress_core.tiles import Quantized, Tile

ELEMENT = Structure("element")


def tile_of(values: NDArray[Any], code: str = "F32", start: int = 0, grain: int = 8) -> Tile:
    """A tile of a tensor ``w`` that holds ``values`` from row ``start`` on."""
    raw = (
        values.astype(np.float64)
        if code == "F64"
        else floats.narrow(values.astype(np.float32), code)
    )
    shape = (start + len(raw), raw.shape[1])
    return Tile(TensorInfo("w", DTYPES[code], shape, 0), start, raw, grain)


def target(code: str, *, quantized: bool = False, name: str = "w") -> Target:
    """A tensor of one format, or one whose values are codes already."""
    scheme = Integer(bits=4, group_size="channel") if quantized else None
    form = Form(DTYPES[code], scheme)
    return Target(TensorInfo(name, DTYPES[code], (7, 10), 0), form, form)


@pytest.mark.parametrize(
    ("codes", "structure", "seed", "threshold", "width"),
    [
        (["BF16"], "element", None, False, 16),
        (["F16", "F16"], "2of4", None, False, 16),
        (["BF16", "F16"], "element", None, False, 32),
        (["F32"], "element", None, False, 32),
        (["F64"], "element", None, False, 64),
        (["BF16", "F64", "F32"], "element", None, False, 64),
        (["BF16"], "element", None, True, 32),
        (["F64"], "element", None, True, 64),
        (["BF16"], "element", 3, False, 32),
        (["F64"], "element", 3, False, 32),
        (["F64"], "row", None, False, 32),
        (["BF16"], "2x2", None, False, 32),
    ],
)
def test_keys_are_as_wide_as_exactness_needs(
    codes: list[str], structure: str, seed: int | None, threshold: bool, width: int
) -> None:
    targets = [target(code) for code in codes]
    assert key_width(targets, Structure.parse(structure), seed, threshold) == width


def test_values_of_codes_are_float32_whatever_the_tensor_was() -> None:
    for code in ("BF16", "F64"):
        assert key_width([target(code, quantized=True)], ELEMENT, None, False) == 32
    mixed = [target("BF16"), target("BF16", quantized=True)]
    assert key_width(mixed, ELEMENT, None, False) == 32
    assert key_width([target("F64"), target("F64", quantized=True)], ELEMENT, None, False) == 64


@pytest.mark.parametrize(("code", "width"), [("BF16", 16), ("F16", 16), ("F32", 32), ("F64", 64)])
def test_elements_are_ordered_by_magnitude_and_masked_ones_go_first(code: str, width: int) -> None:
    tile = tile_of(np.array([[3.0, -1.0, 2.0, -0.0, 0.5]]), code)
    tile.prune(np.array([[True, False, False, False, False]]))
    keys = Scoring(ELEMENT, "l2", None, width).keys(tile)
    assert keys.dtype == f"<u{width // 8}"
    assert np.argsort(keys[0], kind="stable").tolist() == [0, 3, 4, 1, 2]
    assert (keys[0] == 0).tolist() == [True, False, False, True, False]
    assert np.array_equal(tile.raw, tile_of(np.array([[3.0, -1.0, 2.0, -0.0, 0.5]]), code).raw)


@pytest.mark.parametrize("width", [32, 64])
def test_codes_are_judged_by_what_they_decode_to(width: int) -> None:
    values = np.array([[1.0, -0.9, 0.1, 0.2]])
    tile = tile_of(values, "F64" if width == 64 else "F32")
    scheme = Integer(bits=2, group_size="channel")
    found = scheme.fit(tile.values, None)
    tile.quantize(Quantized(scheme, scheme.encode(tile.values, found), found))
    keys = Scoring(ELEMENT, "l2", None, width).keys(tile)
    assert keys.dtype == f"<u{width // 8}"
    assert keys[0, 0] == keys[0, 1] > 0  # both decode to one step
    assert keys[0, 2] == keys[0, 3] == 0


def score(values: list[float], norm: str) -> float:
    """A norm of exact numbers."""
    if norm == "max":
        return max(map(abs, values), default=0.0)
    if norm == "l1":
        return math.fsum(map(abs, values))
    return math.sqrt(math.fsum(value * value for value in values))


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize(
    "structure", ["row", "2x3", "1x4", "3x1", "100x100", "999999999x999999999"]
)
def test_scores_are_norms_of_units_ragged_ones_included(structure: str, norm: str) -> None:
    rng = np.random.default_rng(4)
    values = rng.integers(-9, 10, (7, 10)) / 4
    shape = Structure.parse(structure)
    high, wide = (1, 10) if structure == "row" else (shape.height, shape.width)
    tile = tile_of(values)
    scoring = Scoring(shape, norm, None, 32)
    keys = scoring.keys(tile)
    expected = [
        [
            score(values[top : top + high, left : left + wide].ravel().tolist(), norm)
            for left in range(0, 10, wide)
        ]
        for top in range(0, 7, high)
    ]
    assert keys.view(np.float32).tolist() == np.array(expected, np.float32).tolist()


@pytest.mark.parametrize("structure", ["row", "2x3", "100x100", "999999999x999999999"])
def test_a_mask_of_units_covers_their_elements(structure: str) -> None:
    shape = Structure.parse(structure)
    high, wide = (1, 10) if structure == "row" else (shape.height, shape.width)
    tile = tile_of(np.ones((7, 10)))
    scoring = Scoring(shape, "l2", None, 32)
    keys = scoring.keys(tile)
    mask = np.random.default_rng(1).random(keys.shape) < 0.5
    found = scoring.expanded(mask, tile)
    assert found.shape == (7, 10)
    for row in range(7):
        for column in range(10):
            assert found[row, column] == mask[row // high, column // wide]


def test_the_mask_of_elements_is_the_mask() -> None:
    mask = np.array([[True, False]])
    scoring = Scoring(ELEMENT, "l2", None, 32)
    assert np.array_equal(scoring.expanded(mask, tile_of(np.ones((1, 2)))), mask)


def test_a_ragged_block_has_one_score_in_a_tile_of_its_own_and_in_a_larger_one() -> None:
    values = np.random.default_rng(5).normal(size=(10, 100)).astype(np.float32)
    for norm in ("l1", "l2", "max"):
        scoring = Scoring(Structure.parse("4x30"), norm, None, 32)
        whole = scoring.keys(tile_of(values))
        alone = scoring.keys(tile_of(values[8:], start=8))
        assert np.array_equal(whole[2:], alone)


def test_masked_elements_do_not_count_in_a_score() -> None:
    tile = tile_of(np.array([[3.0, 4.0], [5.0, 5.0]]))
    tile.prune(np.array([[True, False], [True, True]]))
    keys = Scoring(Structure("row"), "l2", None, 32).keys(tile)
    assert keys.view(np.float32).tolist() == [[4.0], [0.0]]


def test_a_score_beyond_float32_is_its_largest_number() -> None:
    tile = tile_of(np.full((1, 4), 3e38))
    keys = Scoring(Structure("row"), "l1", None, 32).keys(tile)
    assert keys.view(np.float32).tolist() == [[float(floats.F32_MAX)]]


@pytest.mark.parametrize(
    ("structure", "start", "first"),
    [("element", 4, 40), ("2of4", 4, 40), ("row", 4, 4), ("2x5", 4, 4), ("2x3", 4, 8)],
)
def test_random_keys_are_hashes_of_the_unit_index_in_the_tensor(
    structure: str, start: int, first: int
) -> None:
    tile = tile_of(np.ones((4, 10)), start=start)
    scoring = Scoring(Structure.parse(structure), "l2", 17, 32)
    keys = scoring.keys(tile)
    expected = hash_keys(17, "w", first, keys.size).reshape(keys.shape)
    assert np.array_equal(keys, expected)


def test_random_keys_of_zeros_are_zero() -> None:
    tile = tile_of(np.array([[1.0, 0.0, -0.0, 2.0]]))
    tile.prune(np.array([[False, False, False, True]]))
    keys = Scoring(ELEMENT, "l2", 0, 32).keys(tile)
    assert (keys[0] == 0).tolist() == [False, True, True, True]


thresholds = st.floats(0, 1e300) | st.floats(0, 1e-30) | st.sampled_from([0.0, 0.1, 1.0, 1e39])


@settings(deadline=None, max_examples=300)
@given(threshold=thresholds, value=st.floats(0, width=32, allow_infinity=False))
def test_a_threshold_is_compared_exactly_with_float32(threshold: float, value: float) -> None:
    for near in (np.float32(value), np.float32(min(threshold, 3e38))):
        for one in (near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(3e38))):
            key = floats.float_keys(np.array([one]))[0]
            bound = Scoring(ELEMENT, "l2", None, 32).threshold_key(threshold)
            assert (key <= bound) == (float(one) <= threshold)


@settings(deadline=None)
@given(threshold=thresholds, value=st.floats(0, allow_infinity=False))
def test_a_threshold_is_compared_exactly_with_float64(threshold: float, value: float) -> None:
    bound = Scoring(ELEMENT, "l2", None, 64).threshold_key(threshold)
    for one in (value, threshold, math.nextafter(threshold, math.inf)):
        key = floats.magnitude_keys(np.array([one]), "F64", 64)[0]
        assert (key <= bound) == (one <= threshold)


finite = st.floats(-(2.0**60), 2.0**60, width=32)


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@settings(deadline=None)
@given(values=arrays.arrays(np.float32, st.integers(0, 40), elements=finite))
def test_norms_are_those_of_mathematics(norm: str, values: NDArray[np.float32]) -> None:
    found = norms(values, norm)
    assert found.dtype == np.float64
    expected = score([float(value) for value in values], norm)
    # at most 40 additions in float64, a square and a root
    assert abs(float(found) - expected) <= 42 * 2.0**-53 * expected


def test_units_of_all_tensors_are_counted() -> None:
    targets = [target("F32", name="a"), target("BF16", name="b")]
    assert count_units(targets, ELEMENT) == 140
    assert count_units(targets, Structure("row")) == 14
    assert count_units(targets, Structure.parse("2x3")) == 2 * 4 * 4
