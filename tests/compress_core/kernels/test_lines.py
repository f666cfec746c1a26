"""Lines through codes: the formula of MLX by hand, and a search that is never worse than it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.kernels.lines import Line, best_line, line_codes, line_values, mlx_line

Floats = NDArray[np.float32]


def one(*values: float) -> Floats:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("low", "high", "scale", "bias"),
    [
        (-6.0, 9.0, -1.0, 9.0),  # the larger extreme is a whole number of steps from 0
        (-9.0, 6.0, 1.0, -9.0),
        (-7.4, 7.6, -7.6 / 8, 7.6),  # 7.6 steps become 8
        (0.0, 0.0, -1e-7, 0.0),  # the least step
        (0.0, 15.0, -1.0, 15.0),
        (2.0, 2.0, -1e-7, 2.0),
        (3.0, 5.0, -5 / 37, 5.0),  # a range without 0: hardly less than 37.5 steps become 37
    ],
)
def test_the_formula_of_mlx(low: float, high: float, scale: float, bias: float) -> None:
    found = mlx_line(one(low), one(high), 15, negative=True)
    np.testing.assert_allclose(found[0], [scale], rtol=1e-6)
    np.testing.assert_array_equal(found[1], one(bias))


def test_without_negative_scales_the_bias_is_the_minimum() -> None:
    scale, bias = mlx_line(one(-6, -9), one(9, 6), 15, negative=False)
    assert scale.tolist() == [1, 1]
    assert bias.tolist() == [-6, -9]


def test_what_float32_does_not_hold_is_no_infinity() -> None:
    most = float(np.finfo(np.float32).max)
    for low, high in ((-most, most), (most, most), (-most, -most)):
        scale, bias = mlx_line(one(low), one(high), 3, negative=True)
        assert np.isfinite([scale, bias]).all()
        assert scale[0] != 0


def test_codes_are_the_nearest_and_stay_in_their_range() -> None:
    codes = line_codes(one(-9, -1, -0.5, 0, 0.5, 1, 1.5, 9), one(1), one(-1), np.float32(3))
    assert codes.tolist() == [0, 0, 0, 1, 2, 2, 2, 3]
    falling = line_codes(one(2, 1, -9), one(-1), one(2), np.float32(3))
    assert falling.tolist() == [0, 1, 3]


def test_values_are_rounded_once() -> None:
    """As if by a fused product and sum: −8 steps and 7 steps are −1 step exactly."""
    scale = one(0.1)
    found = line_values(np.array([7], np.uint8), scale, scale * np.float32(-8))
    assert found.tolist() == (-scale).tolist()
    twice = one(7) * scale + scale * np.float32(-8)
    assert twice.tolist() != found.tolist()


def error(values: Floats, kept: Any, line: Line, bits: int) -> NDArray[np.float64]:
    codes = line_codes(values, line.scale, line.bias, np.float32(2**bits - 1))
    squares = np.square(line_values(codes, line.scale, line.bias).astype(np.float64) - values)
    return np.asarray(np.where(True if kept is None else kept, squares, 0).sum(axis=0))


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("masked", [False, True])
def test_the_best_line_beats_the_formulas(bits: int, dtype: str, masked: bool) -> None:
    rng = np.random.default_rng(bits)
    values = (rng.standard_t(5, (64, 40)) * 0.02 + rng.normal(0, 0.02, 40)).astype(np.float32)
    kept = rng.random(values.shape) < 0.7 if masked else None
    values[() if kept is None else ~kept] *= 1 if kept is None else 0
    low, high = values.min(axis=0), values.max(axis=0)
    formulas = [
        Line(*mlx_line(low, high, 2**bits - 1, negative=True)),
        Line((high - low) / np.float32(2**bits - 1), low),
    ]
    found = best_line(values, kept, formulas, bits, dtype, negative=True)
    ours = error(values, kept, found, bits)
    for line in formulas:
        theirs = error(values, kept, line, bits)
        assert (ours <= theirs).all()
        assert ours.sum() < 0.99 * theirs.sum()
    positive = best_line(values, kept, formulas[1:], bits, dtype, negative=False)
    assert (positive.scale > 0).all()


def test_a_line_that_fits_is_found_and_neighbours_do_not_matter() -> None:
    codes = np.random.default_rng(0).integers(0, 16, (32, 5)).astype(np.float32)
    codes[:2] = [[0], [15]]
    values = codes * np.float32(0.5) - np.float32(3)
    start = Line(np.full(5, 1, np.float32), np.zeros(5, np.float32))
    found = best_line(values, None, [start], 4, "BF16", negative=True)
    assert error(values, None, found, 4).tolist() == [0] * 5
    alone = best_line(
        values[:, 2:3].copy(), None, [start.of(slice(0, 1))], 4, "BF16", negative=True
    )
    assert (alone.scale, alone.bias) == (found.scale[2:3], found.bias[2:3])


@pytest.mark.parametrize("values", [np.zeros((8, 2)), np.full((8, 2), -0.7), np.zeros((0, 2))])
def test_groups_without_a_range_keep_a_scale_above_zero(values: Floats) -> None:
    given = values.astype(np.float32)
    start = Line(np.ones(2, np.float32), np.zeros(2, np.float32))
    found = best_line(given, None, [start], 4, "F32", negative=True)
    assert (found.scale != 0).all()
    assert error(given, None, found, 4).max(initial=0) < 1e-14


def test_groups_of_which_nothing_counts_keep_what_they_have() -> None:
    start = Line(np.ones(3, np.float32), np.zeros(3, np.float32))
    nothing = np.zeros((8, 3), np.bool_)
    found = best_line(np.zeros((8, 3), np.float32), nothing, [start], 4, "F16", negative=True)
    assert (found.scale.tolist(), found.bias.tolist()) == ([1, 1, 1], [0, 0, 0])
