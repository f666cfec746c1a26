"""Steps of least squared error for the numbers of a table, from a tally of the values.

Near the middle between two numbers it hardly matters which of them a value gets. So values are
rounded to parts of the largest of their group and counted. What a step is worth then follows from
how many values are beyond each bound between two numbers, and from their sum: a trial looks at the
bounds and not at the values, and many steps cost little more than one.

With numbers chosen, the best step is <value, number> / <number, number>, and it takes <value,
number>² / <number, number> off the energy of the group.

Arrays are (width, groups), as in :mod:`compress_core.kernels.search`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.codebooks import NF4
from compress_core.kernels.twins import twin

Floats = NDArray[np.float32]

PARTS = 127
"""Of the largest value: what values are rounded to."""

TOGETHER = 4
"""Bounds that are added up first."""

_COUNTED = 1 << 24
"""Where a float32 stops counting."""

_LEAST = np.float32(1e-6)
"""Less than the energy of any numbers but zeros."""


@dataclass(frozen=True)
class Ladder:
    """The bounds between the numbers of a table that holds 0, for several steps.

    A row j stands for values beyond a bound: those of at least j parts of the largest value. Bounds
    are those above 0 from 0 upwards and those below 0 from 0 downwards, each filled up to a
    multiple of ``TOGETHER`` with bounds that nothing is beyond.

    :ivar rows: (steps, 2, bounds).
    :ivar rises: (2, bounds), by how much magnitudes of numbers rise beyond each bound;
        ``energies``: and their squares.
    """

    rows: NDArray[np.int32]
    rises: Floats
    energies: Floats


def ladder_of(numbers: Floats, steps: Floats) -> Ladder:
    """The ladder of sorted ``numbers`` times each of the steps, in units of the largest value."""
    sides = (numbers[numbers >= 0], -numbers[numbers <= 0][::-1])
    bounds = -(-(max(map(len, sides)) - 1) // TOGETHER) * TOGETHER
    rows = np.full((len(steps), 2, bounds), PARTS + 1, np.int32)
    rises, energies = np.zeros((2, 2, bounds), np.float32)
    for side, own in enumerate(sides):
        middles = (own[1:] + own[:-1]) / np.float32(2)
        inside = np.floor(steps[:, None] * middles * np.float32(PARTS))
        rows[:, side, : len(own) - 1] = np.minimum(inside, PARTS) + 1
        rises[side, : len(own) - 1] = np.diff(own)
        energies[side, : len(own) - 1] = np.diff(np.square(own))
    return Ladder(rows, rises, energies)


@cache
def integer_ladder(bits: int) -> Ladder:
    """Of the codes −2^(b−1) … 2^(b−1)−1, of 2 to 5 bits."""
    half = 1 << (bits - 1)
    shares = np.linspace(1.1, 0.5 if bits == 5 else 0.2, 31, dtype=np.float32)
    return ladder_of(np.arange(-half, half, dtype=np.float32), shares / np.float32(half))


@cache
def nf4_ladder() -> Ladder:
    """Of :data:`~compress_core.kernels.codebooks.NF4`."""
    return ladder_of(NF4, np.linspace(1.1, 0.3, 33, dtype=np.float32))


def in_units(values: Floats) -> tuple[Floats, Floats]:
    """Values in units of the largest magnitude of their group, and that; 1 where all are 0."""
    extreme = np.maximum(values.max(axis=0), -values.min(axis=0))
    largest: Floats = np.where(extreme == 0, np.float32(1), extreme)
    return np.divide(values, largest, dtype=np.float32), largest


def tallied(units: Floats) -> tuple[Floats, Floats]:
    """How many values are beyond each row, and the sum of their magnitudes, in parts.

    Both are (2, ``PARTS`` + 2, groups): values above 0, and values below. Beyond the last row is
    nothing.
    """
    groups = units.shape[1]
    parts = np.rint(units * np.float32(PARTS)).astype(np.intp) + PARTS
    places = (parts * groups + np.arange(groups)).reshape(-1)
    counts = np.bincount(places, minlength=(2 * PARTS + 1) * groups)
    each = np.minimum(counts, _COUNTED).astype(np.float32).reshape(2 * PARTS + 1, groups)
    sides = np.zeros((2, PARTS + 2, groups), np.float32)
    sides[0, :-1], sides[1, :-1] = each[PARTS:], each[PARTS::-1]
    magnitudes = np.arange(PARTS + 2, dtype=np.float32)[:, None]
    inwards = slice(None, None, -1)
    many = np.cumsum(sides[:, inwards], axis=1, dtype=np.float32)[:, inwards]
    sums = np.cumsum((sides * magnitudes)[:, inwards], axis=1, dtype=np.float32)[:, inwards]
    return many, sums


def best_step(units: Floats, ladder: Ladder, *, negative: bool) -> Floats:
    """The step that takes most off the energy of each group, in units of its largest value.

    The first among equals; 0 for a group of zeros.
    """
    many, sums = tallied(units)
    gains, steps = [], []
    for sign in (1, -1) if negative else (1,):
        sides = (0, 1) if sign == 1 else (1, 0)
        product = np.zeros((len(ladder.rows), units.shape[1]), np.float32)
        energy = np.zeros_like(product)
        for side, values in enumerate(sides):
            for part in _together(ladder.rises[side], sums[values], ladder.rows[:, side]):
                product += part
            for part in _together(ladder.energies[side], many[values], ladder.rows[:, side]):
                energy += part
        fitted = product / np.maximum(energy, _LEAST)
        gains.append(product * fitted)
        steps.append(fitted * np.float32(sign))
    # the steps one after the other, each before its negative: the first among equals is taken
    shape = len(ladder.rows) * len(gains), units.shape[1]
    best = np.argmax(np.stack(gains, axis=1).reshape(shape), axis=0)[None]
    found = np.stack(steps, axis=1).reshape(shape)
    return np.asarray(np.take_along_axis(found, best, axis=0)[0] / np.float32(PARTS), np.float32)


def _together(weights: Floats, values: Floats, rows: NDArray[np.int32]) -> Iterator[Floats]:
    """Rows of ``values``, one for each step, times their weights; ``TOGETHER`` of them added up."""
    for at in range(0, rows.shape[1], TOGETHER):
        a, b, c, d = (weights[k] * values[rows[:, k]] for k in range(at, at + TOGETHER))
        yield (a + b) + (c + d)


@twin
def nf4_step(values: Floats, *, negative: bool) -> Floats:
    """What a number of 1 should stand for in each group, not rounded to any dtype: (groups,).

    :param values: (width, groups), finite, at least one in a group.
    :param negative: whether steps may be negative.
    """
    units, largest = in_units(np.ascontiguousarray(values))
    with np.errstate(over="ignore"):
        return best_step(units, nf4_ladder(), negative=negative) * largest
