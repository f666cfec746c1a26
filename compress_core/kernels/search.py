"""Scales of least squared error for integer codes.

With codes fixed, the best scale is known: value = code · s has the least error at
s = <w, code> / <code, code>, and takes <w, code>² / <code, code> off the energy of the group. So
scales are compared by what their codes take off, which is smoother than the error of the scale
itself and needs fewer of them. Those of wide symmetric codes come from a tally of the values
(:mod:`compress_core.kernels.steps`), others from trials: first some factors of the largest value,
then a few beside the best of them. Least squares and rounding follow, in turns, with the scale as
it is stored.

Arrays are (width, groups) here: sums over the first axis are additions of long rows, and their
order is that of :mod:`compress_core.kernels.sums`, so that neighbours of a group do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.scales import nearest_scale
from compress_core.kernels.steps import best_step, in_units, integer_ladder
from compress_core.kernels.sums import column_sum
from compress_core.kernels.twins import twin

Floats = NDArray[np.float32]

CHUNK = 1 << 16
"""Elements that are searched at once: what a processor's second cache holds a few times."""

_TURNS = 3
"""Turns of least squares after trials; a fourth changes hardly any code."""

_TURNS_OF_TALLIES = 1
"""After a tally, which has fitted its step already."""

TALLIED_BITS = 5
"""Codes of so many bits, or fewer, are wider than the parts of a tally."""


@dataclass(frozen=True)
class Grid:
    """Codes that a group may use, counted from its zero: ``low`` ≤ code ≤ ``high``, (groups,)."""

    low: Floats
    high: Floats

    def codes(self, steps: Floats) -> Floats:
        """The nearest code of each quotient, in place."""
        np.rint(steps, out=steps)
        np.maximum(steps, self.low, out=steps)
        np.minimum(steps, self.high, out=steps)
        return steps


@dataclass(frozen=True)
class Found:
    """The best of several trials for each group.

    :ivar gain: what it takes off the energy of values whose largest is 1.
    :ivar step: the step of codes in units of the largest value; negative: a negative scale.
    """

    gain: Floats
    step: Floats
    low: Floats
    high: Floats

    def or_better(self, other: Found) -> Found:
        """For each group the better one; this one among equals."""
        wins = other.gain > self.gain
        return Found(
            *(
                np.where(wins, getattr(other, name), getattr(self, name))
                for name in ("gain", "step", "low", "high")
            )
        )


def chunks(groups: int, width: int) -> Iterator[slice]:
    """Slices of ``groups`` groups of ``width`` elements that are searched at once."""
    step = max(CHUNK // max(width, 1), 32)
    for first in range(0, groups, step):
        yield slice(first, first + step)


# bits → largest factor, smallest, how many; evenly spaced, with 1 among them: clipping pays most
# where steps are wide, and where they are narrow the error depends on them erratically
_FACTORS = {
    5: (1.1, 0.5, 25),
    6: (1.04, 0.64, 21),
    7: (1.04, 0.8, 25),
    8: (1.03, 0.91, 25),
}
_FACTORS_BELOW = (1.1, 0.3, 17)


def factors(bits: int) -> Floats:
    """Shares of the largest value that the outermost code may stand for, largest first."""
    return np.linspace(*_FACTORS.get(bits, _FACTORS_BELOW), dtype=np.float32)


def gap_of(shares: Floats) -> np.float32:
    """The distance between neighbours, as a part of the one in the middle."""
    return np.float32((shares[0] - shares[1]) / shares[len(shares) // 2])


def trial(units: Floats, step: Floats, grid: Grid) -> Found:
    """What the codes of one step for each group are worth."""
    codes = grid.codes(units * (np.float32(1) / step))
    product = column_sum(units * codes, np.float32)
    np.square(codes, out=codes)
    energy = column_sum(codes, np.float32)
    gain = np.square(product) / np.maximum(energy, np.float32(1))
    return Found(gain, np.broadcast_to(step, gain.shape), grid.low, grid.high)


def best_of(units: Floats, tried: Iterable[tuple[Floats, Grid]]) -> Found:
    """The best of several steps and grids for each group; the first among equals."""
    return reduce(Found.or_better, (trial(units, step, grid) for step, grid in tried))


def beside(units: Floats, found: Found, gap: np.float32) -> Found:
    """``found``, or a step a little smaller or larger, up to ``gap`` of it away."""
    grid = Grid(found.low, found.high)
    for share in (-0.66, -0.33, 0.33, 0.66):
        step = found.step * (np.float32(1) + gap * np.float32(share))
        found = found.or_better(trial(units, step, grid))
    return found


def polished(
    values: Floats, scale: Floats, grid: Grid, dtype: str, turns: int = _TURNS
) -> tuple[Floats, NDArray[np.float64]]:
    """The best of ``scale`` and of what least squares make of it, as stored; and its squared error.

    :param scale: (groups,) numbers that ``dtype`` holds; ``turns``: of least squares.
    """
    best, least = scale, np.full(scale.shape, np.inf)
    for turn in range(turns + 1):
        codes = _codes(values, scale, grid)
        error = _error(values, codes, scale)
        wins = error < least
        best, least = np.where(wins, scale, best), np.where(wins, error, least)
        if turn < turns:
            scale = _least_squares(values, codes, scale, dtype)
    return best, least


def error_of(values: Floats, scale: Floats, grid: Grid) -> NDArray[np.float64]:
    """Squared error of each group with this scale."""
    return _error(values, _codes(values, scale, grid), scale)


def _codes(values: Floats, scale: Floats, grid: Grid) -> Floats:
    with np.errstate(over="ignore"):
        return grid.codes(values / scale)


def _error(values: Floats, codes: Floats, scale: Floats) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        rest = codes * scale
        rest -= values
    return column_sum(np.square(rest, dtype=np.float64))


def _least_squares(values: Floats, codes: Floats, scale: Floats, dtype: str) -> Floats:
    product = column_sum(np.multiply(values, codes, dtype=np.float64))
    energy = column_sum(np.square(codes))
    with np.errstate(over="ignore"):
        fitted = (product / np.maximum(energy, 1)).astype(np.float32)
    return np.where(fitted == 0, scale, nearest_scale(fitted, dtype))


@twin
def symmetric_scale(
    values: Floats, scale: Floats, bits: int, dtype: str, *, negative: bool
) -> Floats:
    """A scale for codes −2^(b−1) … 2^(b−1)−1 with no more squared error than ``scale``.

    :param values: (width, groups); ``scale``: (groups,) as ``dtype`` holds it.
    :param negative: whether scales may be negative, so that the extra code is for large positive
        values where these are larger.
    """
    values = np.ascontiguousarray(values)
    units, largest = in_units(values)
    half = np.float32(1 << (bits - 1))
    ones = np.ones_like(largest)
    grid = Grid(-half * ones, (half - 1) * ones)
    if bits <= TALLIED_BITS:
        step, turns = best_step(units, integer_ladder(bits), negative=negative), _TURNS_OF_TALLIES
    else:
        step, turns = _tried(units, grid, bits, negative=negative), _TURNS
    with np.errstate(over="ignore"):
        started = nearest_scale(step * largest, dtype)
    better, least = polished(values, started, grid, dtype, turns)
    return np.where(least < error_of(values, scale, grid), better, scale)


def _tried(units: Floats, grid: Grid, bits: int, *, negative: bool) -> Floats:
    """The best step of symmetric codes, in units of the largest value."""
    shares, half, ones = factors(bits), grid.low * -1, np.ones_like(grid.low)
    signs = (1, -1) if negative else (1,)
    steps = (np.float32(sign) * share / half * ones for share in shares for sign in signs)
    return beside(units, best_of(units, ((step, grid) for step in steps)), gap_of(shares)).step


@twin
def asymmetric_scale(
    values: Floats, scale: Floats, zero: Floats, bits: int, dtype: str
) -> tuple[Floats, Floats]:
    """A scale and a zero point (both (groups,)) with no more squared error than those given.

    A narrower range may lose at both ends, at the upper or at the lower one.
    """
    values = np.ascontiguousarray(values)
    units, largest = in_units(values)
    top = np.float32(2**bits - 1)
    reach: Floats = (np.maximum(units.max(axis=0), 0) - np.minimum(units.min(axis=0), 0)) / top
    reach = np.where(reach == 0, np.float32(1), reach)
    shares = factors(bits)
    tried = (
        (reach * share, _grid(moved, top))
        for share in shares
        for moved in (zero, zero / share, top - (top - zero) / share)
    )
    found = best_of(units, tried)
    for shift in (-1, 1):
        found = found.or_better(trial(units, found.step, _grid(shift - found.low, top)))
    found = beside(units, found, gap_of(shares))
    return _settled_range(values, (scale, zero), found, largest, top, dtype)


def _grid(zero: Floats, top: np.float32) -> Grid:
    """The codes 0 … top, counted from the whole number nearest to ``zero`` among them."""
    at = np.clip(np.rint(zero), 0, top) + np.float32(0)  # no −0
    return Grid(-at, top - at)


def _settled_range(
    values: Floats,
    given: tuple[Floats, Floats],
    found: Found,
    largest: Floats,
    top: np.float32,
    dtype: str,
) -> tuple[Floats, Floats]:
    with np.errstate(over="ignore"):
        started = nearest_scale(found.step * largest, dtype)
    better, least = polished(values, started, Grid(found.low, found.high), dtype)
    scale, zero = given
    wins = least < error_of(values, scale, _grid(zero, top))
    return (
        np.asarray(np.where(wins, better, scale), np.float32),
        np.asarray(np.where(wins, -found.low, zero), np.float32),
    )
