"""Error statistics: exact sums, whatever the tiles."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.kernels import floats
from compress_core.kernels.sums import ordered_sum
from compress_core.metrics import (
    KEPT_GRAIN,
    OUTPUT_ROWS,
    ErrorStats,
    Moments,
    Offset,
    mean_shift,
    observe,
    observe_kept,
    observe_outputs,
    observe_weighted,
    total,
)
from compress_core.tensors import TensorInfo
from compress_core.tiles import Tile

CODES = ["BF16", "F16", "F32", "F64"]


def tile_of(raw: NDArray[Any], code: str, grain: int = 4, start: int = 0) -> Tile:
    """A tile of raw elements."""
    return Tile(TensorInfo("w", DTYPES[code], raw.shape, raw.nbytes), start, raw, grain)


def normal(rows: int, columns: int, code: str = "F32") -> NDArray[Any]:
    """Random elements of a format."""
    values = np.random.default_rng(rows).normal(size=(rows, columns))
    return values if code == "F64" else floats.narrow(values.astype(np.float32), code)


def moved(raw: NDArray[Any], code: str, by: float = 1.125, start: int = 0) -> Tile:
    """A tile whose values are a little larger than those in the file."""
    tile = tile_of(raw, code, start=start)
    tile.move(floats.widen(raw, code) * np.float32(by))
    return tile


@pytest.mark.parametrize("code", CODES)
def test_differences_are_taken_against_what_a_reader_gets(code: str) -> None:
    raw = normal(10, 7, code)
    tile = moved(raw, code)
    found = observe(tile)
    before = raw if code == "F64" else floats.widen(raw, code)
    after = tile.stored() if code == "F64" else floats.widen(tile.stored(), code)
    difference = before - after  # float32, and float64 for F64
    errors, references = [], []
    for first in range(0, 10, 4):
        rows = slice(first, first + 4)
        errors.append(float(ordered_sum(difference[rows].astype(np.float64).reshape(-1) ** 2)))
        references.append(float(ordered_sum(before[rows].astype(np.float64).reshape(-1) ** 2)))
    assert found.error_squares == tuple(errors)
    assert found.reference_squares == tuple(references)
    assert found.max_abs == float(np.abs(difference).max()) > 0
    assert found.zeros == int(np.count_nonzero(after == 0))


@pytest.mark.parametrize("code", CODES)
def test_sums_of_small_integers_are_exact(code: str) -> None:
    values = np.arange(-12, 12, dtype=np.float32).reshape(6, 4)
    raw = floats.narrow(values, code)
    tile = tile_of(raw, code)
    mask = np.zeros((6, 4), np.bool_)
    mask[::2, 1] = True
    tile.prune(mask)
    stats = ErrorStats()
    stats.update(observe(tile), raw.size)
    gone = [float(value) for value in values[mask]]
    assert stats.error_square == sum(value * value for value in gone)
    assert stats.reference_square == sum(value * value for value in range(-12, 12))
    assert stats.max_abs == max(map(abs, gone))
    assert stats.zeros == len(gone) + 1
    assert stats.elements == 24
    result = stats.result()
    assert result.error == math.sqrt(stats.error_square / stats.reference_square)


@pytest.mark.parametrize("code", CODES)
def test_any_tiling_and_any_order_give_the_same_bits(code: str) -> None:
    raw = normal(41, 6, code)
    whole = moved(raw, code)

    def stats(grains: int, *, backwards: bool) -> ErrorStats:
        step = 4 * grains
        firsts = list(range(0, 41, step))
        found = ErrorStats()
        for first in reversed(firsts) if backwards else firsts:
            tile = tile_of(raw[first : first + step], code, start=first)
            tile.move(whole.values[first : first + step])
            found.update(observe(tile), tile.raw.size)
        return found

    results = [stats(grains, backwards=turn) for grains in (1, 2, 5, 11) for turn in (False, True)]
    assert len({one.result() for one in results}) == 1
    assert len({(one.zeros, one.elements) for one in results}) == 1
    assert results[0].error_square > 0


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e300), min_size=1, max_size=8))
def test_sums_of_grains_are_rounded_once(sums: list[float]) -> None:
    exact = float(sum(map(Fraction, sums)))
    for order in itertools.islice(itertools.permutations(sums), 4):
        stats = ErrorStats()
        for one in order:
            stats.update(Moments((one,), (one,), 0.0, 0), 1)
        assert stats.error_square == stats.reference_square == exact


def test_closing_changes_no_figure() -> None:
    stats = ErrorStats()
    for first in (1e16, 1.0, -1.0):
        stats.update(Moments((abs(first), 0.1), (2.0, 0.3), abs(first), 2), 5)
    before = stats.result(), stats.zeros, stats.elements
    assert stats.close() is stats
    assert (stats.result(), stats.zeros, stats.elements) == before


def test_a_tile_that_nobody_changed_has_no_error() -> None:
    raw = normal(5, 3)
    raw[2] = 0
    found = observe(tile_of(raw, "F32"))
    assert found.error_squares == (0.0, 0.0)
    assert (found.max_abs, found.zeros) == (0.0, 3)


@pytest.mark.parametrize("code", CODES)
def test_kept_elements_have_weight_zeros_and_no_error(code: str) -> None:
    raw = np.zeros(KEPT_GRAIN + 5, DTYPES[code].storage)
    raw[3:9] = floats.narrow(np.array([1, -2, 3, -0.0, 0.5, 4], np.float32), code)
    raw[-1] = floats.narrow(np.array([6], np.float32), code)[0]
    found = observe_kept(raw, code)
    assert found.error_squares == (0.0, 0.0)
    assert found.reference_squares == (1 + 4 + 9 + 0.25 + 16, 36.0)
    assert found.max_abs == 0
    assert found.zeros == raw.size - 6


def test_of_nothing_there_are_no_sums() -> None:
    nothing = ErrorStats()
    nothing.update(observe(tile_of(np.zeros((0, 3), np.float32), "F32")), 0)
    nothing.update(observe_kept(np.zeros(0, np.uint16), "BF16"), 0)
    assert (nothing.error_square, nothing.reference_square, nothing.elements) == (0.0, 0.0, 0)
    assert nothing.result().error == 0


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_tensor_with_nan_or_infinity_says_so_without_a_warning(code: str, bad: float) -> None:
    raw = normal(6, 3, code)
    special = {
        "BF16": 0x7FC0 if np.isnan(bad) else 0x7F80,
        "F16": 0x7E00 if np.isnan(bad) else 0x7C00,
    }
    raw[4, 1] = special.get(code, bad)
    for found in (observe(tile_of(raw, code)), observe_kept(raw.reshape(-1), code)):
        stats = ErrorStats()
        stats.update(found, raw.size)
        assert stats.reference_square == math.inf


def test_a_signalling_nan_is_only_a_nan() -> None:
    raw = np.array([[0x7F81, 0xFFBF, 0x3F80]], np.uint16)
    for found in (observe(tile_of(raw, "BF16")), observe_kept(raw.reshape(-1), "BF16")):
        assert not math.isfinite(found.reference_squares[0])


def test_the_error_of_many_tensors_leaves_out_those_that_are_not_finite() -> None:
    good, bad, other = ErrorStats(), ErrorStats(), ErrorStats()
    good.update(Moments((1.0,), (4.0,), 1.0, 2), 10)
    other.update(Moments((0.25,), (5.0,), 0.5, 0), 4)
    bad.update(Moments((math.nan,), (math.nan,), 9.0, 1), 3)
    whole = total([good.close(), bad.close(), other.close()])
    assert (whole.error_square, whole.reference_square, whole.max_abs) == (1.25, 9.0, 1.0)
    assert (whole.zeros, whole.elements) == (3, 17)


@pytest.mark.parametrize("grains", [1, 2, 40])
def test_squares_beyond_float64_are_infinite_and_no_crash(grains: int) -> None:
    stats = ErrorStats()
    for _ in range(grains):
        stats.update(Moments((1.7e308,), (1.7e308,), 0.0, 0), 1)
    assert stats.error_square == stats.reference_square == (1.7e308 if grains == 1 else math.inf)
    assert stats.close().reference_square == stats.reference_square
    # alone it is finite, twice it is not; what is not finite by itself is left out
    expected = math.inf if grains == 1 else 0.0
    assert total([stats, stats]).reference_square == expected


def test_elements_whose_squares_overflow_are_summed_without_a_warning() -> None:
    raw = np.full((2, 3), 1e200)
    for found in (observe(tile_of(raw, "F64")), observe_kept(raw.reshape(-1), "F64")):
        assert found.reference_squares == (math.inf,)


def test_differences_that_float32_does_not_hold_are_no_warning() -> None:
    raw = np.full((1, 2), 3e38, np.float32)
    tile = tile_of(raw, "F32")
    tile.move(-raw)
    found = observe(tile)
    assert found.max_abs == math.inf
    assert found.error_squares == (math.inf,)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("columns", [3, OUTPUT_ROWS, OUTPUT_ROWS + 5])
def test_the_error_of_outputs_is_that_of_real_inputs(code: str, columns: int) -> None:
    inputs = np.random.default_rng(4).normal(size=(900, columns))
    gram = (inputs.T @ inputs / len(inputs)).astype(np.float32)
    tile = moved(normal(10, columns, code), code)
    found = observe_outputs(tile, lambda first, stop: gram[first:stop])
    before = floats.native(tile.raw, code).astype(np.float64)
    after = floats.native(tile.stored(), code).astype(np.float64)
    given, told = inputs @ before.T, inputs @ after.T
    assert len(found.errors) == len(found.references) == 3
    scale = len(inputs)
    assert math.fsum(found.errors) == pytest.approx(np.sum((given - told) ** 2) / scale, rel=1e-5)
    assert math.fsum(found.references) == pytest.approx(np.sum(given**2) / scale, rel=1e-5)


def test_errors_of_outputs_are_kept_for_each_sample_and_closed() -> None:
    gram = np.eye(6, dtype=np.float32)
    whole = ErrorStats()
    for start in (0, 4):
        tile = tile_of(normal(8, 6)[start : start + 4], "F32", start=start)
        tile.prune(np.broadcast_to(np.arange(6) < 3, (4, 6)))
        squares = observe_outputs(tile, lambda first, stop: gram[first:stop])
        outputs = {"in_sample": squares, "held_out": squares}
        whole.update(replace(observe(tile), outputs=outputs), tile.raw.size)
    found = whole.outputs
    assert found == whole.close().outputs
    assert found is not None
    # with independent inputs of unit variance it is the error of the weights
    assert found.in_sample.error == pytest.approx(whole.result().error, rel=1e-6)
    assert found.held_out == found.in_sample
    assert ErrorStats().outputs is None


@pytest.mark.parametrize("code", CODES)
def test_the_error_of_outputs_has_the_bias_in_it(code: str) -> None:
    random = np.random.default_rng(5)
    inputs = random.normal(0.5, size=(900, 40))
    gram = (inputs.T @ inputs / len(inputs)).astype(np.float32)
    raw, change = normal(10, 40, code), random.normal(size=10)
    errors: list[float] = []
    for start in (0, 4):
        tile = moved(raw[start : start + (4 if start == 0 else 6)], code, start=start)
        offset = Offset(change, inputs.mean(axis=0))
        errors += observe_outputs(tile, lambda first, stop: gram[first:stop], offset).errors
    whole = moved(raw, code)
    gap = floats.native(whole.raw, code).astype(float) - floats.native(whole.stored(), code)
    wanted = np.sum((inputs @ gap.T + change) ** 2) / len(inputs)
    assert math.fsum(errors) == pytest.approx(wanted, rel=1e-5)
    np.testing.assert_allclose(mean_shift(whole, inputs.mean(axis=0)), gap @ inputs.mean(axis=0))


def test_the_error_of_outputs_of_a_cast_is_that_of_its_values() -> None:
    tile = tile_of(normal(6, 8), "F32")
    tile.cast(DTYPES["BF16"])
    found = observe_outputs(tile, lambda first, stop: np.eye(8, dtype=np.float32)[first:stop])
    assert math.fsum(found.errors) == pytest.approx(sum(observe(tile).error_squares), rel=1e-6)


@pytest.mark.parametrize("code", CODES)
def test_the_error_of_outputs_by_a_diagonal_is_that_of_the_matrix(code: str) -> None:
    energies = np.exp(np.random.default_rng(6).normal(size=24))
    gram = np.diag(energies).astype(np.float32)
    tile = moved(normal(10, 24, code), code)
    found = observe_weighted(tile, energies)
    wanted = observe_outputs(tile, lambda first, stop: gram[first:stop])
    np.testing.assert_allclose(found.errors, wanted.errors, rtol=1e-6)
    np.testing.assert_allclose(found.references, wanted.references, rtol=1e-6)
