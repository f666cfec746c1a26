"""Lines through codes: value = scale · code + bias, with codes 0 … ``top``.

For fixed codes the line of least squared error is the regression of the values on them. So ranges
are compared by what their codes explain of the variance of a group, S_wc² / S_cc; the line of the
best is rounded to the dtype in which it is stored, and codes and regression take turns.

Arrays of the search are (width, groups), as in :mod:`compress_core.kernels.search`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.scales import nearest_bias, nearest_scale
from compress_core.kernels.sums import column_sum

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_LEAST_STEP = np.float32(1e-7)
_TURNS = 3

# bits → smallest share of the range of values that the codes may span, and how many shares are
# tried; clipping pays most where steps are wide
_SHARES = {1: (0.4, 13), 2: (0.4, 13), 3: (0.55, 10), 4: (0.7, 8), 5: (0.8, 6)}
_SHARES_ABOVE = (0.9, 4)


def mlx_line(low: Floats, high: Floats, top: int, *, negative: bool) -> tuple[Floats, Floats]:
    """Scale and bias of groups with these extremes, before they are rounded to their dtype.

    Source: ``quantize`` of MLX 0.32, whose arithmetic is float32 for every dtype of weights. Where
    float32 does not hold the range its step is taken in float64, and the step stays as it is where
    float32 does not hold the number of steps.

    :param negative: whether scales may be negative; if not, the bias is always the minimum.
    """
    below = (np.abs(low) > np.abs(high)) | (not negative)
    with np.errstate(over="ignore"):
        step = np.subtract(high, low, dtype=np.float32) / np.float32(top)
    step = np.where(np.isinf(step), (high.astype(np.float64) - low) / top, step)
    step = np.maximum(step.astype(np.float32), _LEAST_STEP)
    scale = np.where(below, step, -step)
    edge = np.where(below, low, high)
    with np.errstate(over="ignore"):
        steps = np.rint(edge / scale)
    exact = np.divide(edge, steps, out=scale.copy(), where=(steps != 0) & np.isfinite(steps))
    return exact, np.where(steps == 0, np.float32(0), edge)


def line_codes(
    values: Floats, scale: Floats | np.float32, bias: Floats | np.float32, top: np.float32
) -> Floats:
    """The nearest code of each value, as a whole float; all broadcast."""
    with np.errstate(over="ignore"):
        steps: Floats = values - bias
        steps /= scale
    np.rint(steps, out=steps)
    np.clip(steps, 0, top, out=steps)
    return steps


def line_values(codes: NDArray[Any], scale: Floats, bias: Floats) -> Floats:
    """Values of codes, rounded once to float32: products and sums are in float64."""
    wide = codes.astype(np.float64)
    wide *= scale
    wide += bias
    with np.errstate(over="ignore"):
        return wide.astype(np.float32)


@dataclass(frozen=True)
class Line:
    """Scale and bias of groups: (groups,)."""

    scale: Floats
    bias: Floats

    def of(self, groups: slice) -> Line:
        """That of some groups."""
        return Line(self.scale[groups], self.bias[groups])

    def where(self, wins: NDArray[np.bool_], other: Line) -> Line:
        """``other`` where it wins."""
        return Line(np.where(wins, other.scale, self.scale), np.where(wins, other.bias, self.bias))


@dataclass(frozen=True)
class Groups:
    """Groups of values that a line is looked for.

    :ivar values: (width, groups).
    :ivar kept: which of them count; ``None``: all.
    """

    values: Floats
    kept: NDArray[np.bool_] | None
    top: np.float32
    dtype: str

    def total(self, values: NDArray[Any], dtype: Any = np.float64) -> NDArray[Any]:
        """The sum over those that count, in ``dtype``."""
        counted = values if self.kept is None else np.where(self.kept, values, 0)
        return column_sum(counted, dtype)

    @property
    def count(self) -> Doubles:
        """How many of a group count; at least 1."""
        kept = np.broadcast_to(True, self.values.shape) if self.kept is None else self.kept
        return np.asarray(np.maximum(np.count_nonzero(kept, axis=0), 1), np.float64)

    def codes(self, line: Line) -> Floats:
        """The nearest codes on a line."""
        return line_codes(self.values, line.scale, line.bias, self.top)

    def error(self, line: Line, codes: Floats) -> Doubles:
        """Squared error of each group."""
        with np.errstate(over="ignore"):
            rest = line_values(codes, line.scale, line.bias) - self.values
        return self.total(np.square(rest, dtype=np.float64))

    def regression(self, codes: Floats, line: Line) -> Line:
        """The line of least squares through codes, as it is stored; ``line`` where codes are one.

        The bias is the best beside the scale that was rounded.
        """
        count = self.count
        mean_code, mean = self.total(codes) / count, self.total(self.values) / count
        away = codes - mean_code
        product, energy = self.total(away * self.values), self.total(np.square(away))
        slope = np.divide(product, energy, out=np.zeros_like(energy), where=energy > 0)
        scale = np.where(
            slope == 0, line.scale, nearest_scale(slope.astype(np.float32), self.dtype)
        )
        return self._beside(scale, mean_code, mean)

    def _beside(self, scale: Floats, mean_code: Doubles, mean: Doubles) -> Line:
        bias = mean - scale.astype(np.float64) * mean_code
        with np.errstate(over="ignore"):
            return Line(scale, nearest_bias(bias.astype(np.float32), self.dtype))


def best_line(
    values: Floats,
    kept: NDArray[np.bool_] | None,
    lines: Sequence[Line],
    bits: int,
    dtype: str,
    *,
    negative: bool,
) -> Line:
    """A line with no more squared error than any of ``lines``, for each group.

    :param values: (width, groups); zero where ``kept`` is false.
    :param negative: whether scales may be negative: the bias is then at either end of the range.
    """
    best = lines[0]
    if not values.size:
        return best
    groups = Groups(values, kept, np.float32(2**bits - 1), dtype)
    start = _started(groups, bits)
    starts = [start, _mirrored(start, groups)] if negative else [start]
    least = np.full(best.scale.shape, np.inf)
    for tried in (*lines, *(line for one in starts for line in _polished(groups, one))):
        error = groups.error(tried, groups.codes(tried))
        wins = error < least
        best, least = best.where(wins, tried), np.where(wins, error, least)
    return best


def _started(groups: Groups, bits: int) -> Line:
    """The regression of the best of several ranges, in the dtype in which it is stored."""
    low, high = _extremes(groups)
    two = np.float32(2)
    middle: Floats = low / two + high / two
    reach = high / two - low / two
    half: Floats = np.where(reach > 0, reach, np.float32(1))
    units: Floats = (groups.values - middle) / half
    if groups.kept is not None:
        units[~groups.kept] = 0
    count = groups.count.astype(np.float32)
    most = np.full(half.shape, -1, np.float32)
    begin, step = -np.ones_like(half), np.full_like(half, 2 / groups.top)
    for first, wide in _ranges(bits):
        codes = line_codes(units, np.float32(wide / groups.top), np.float32(first), groups.top)
        gain = _explained(groups, units, codes, count)
        wins = gain > most
        most = np.where(wins, gain, most)
        begin = np.where(wins, np.float32(first), begin)
        step = np.where(wins, np.float32(wide / groups.top), step)
    raw = Line(
        nearest_scale(step * half, groups.dtype),
        nearest_bias(begin * half + middle, groups.dtype),
    )
    codes = line_codes(units, step, begin, groups.top)
    return groups.regression(codes, raw)


def _extremes(groups: Groups) -> tuple[Floats, Floats]:
    """The least and the largest of the values that count."""
    values, kept = groups.values, groups.kept
    if kept is None:
        return values.min(axis=0), values.max(axis=0)
    low = np.where(kept, values, np.float32(np.inf)).min(axis=0)
    high = np.where(kept, values, np.float32(-np.inf)).max(axis=0)
    some = kept.any(axis=0)
    return np.where(some, low, np.float32(0)), np.where(some, high, np.float32(0))


def _ranges(bits: int) -> Iterator[tuple[float, float]]:
    """First value and width of ranges of a group whose values are −1 … 1."""
    least, count = _SHARES.get(bits, _SHARES_ABOVE)
    for share in np.linspace(1.0, least, count):
        missing = 2 - 2 * float(share)
        for first in dict.fromkeys((-1 + missing / 2, -1.0, -1 + missing)):
            yield first, 2 * float(share)


def _explained(groups: Groups, units: Floats, codes: Floats, count: Floats) -> Floats:
    """The part of the variance of ``units`` that a line through ``codes`` explains."""
    codes -= groups.top / 2
    mean_code = groups.total(codes, np.float32) / count
    mean = groups.total(units, np.float32) / count
    product = groups.total(units * codes, np.float32) - count * mean * mean_code
    energy = groups.total(np.square(codes), np.float32) - count * np.square(mean_code)
    return np.asarray(np.square(product) / np.maximum(energy, np.float32(1e-3)), np.float32)


def _mirrored(line: Line, groups: Groups) -> Line:
    """The same values with the codes in falling order, as far as the bias can be stored."""
    last = line_values(np.full_like(line.scale, groups.top), line.scale, line.bias)
    return Line(-line.scale, nearest_bias(last, groups.dtype))


def _polished(groups: Groups, line: Line) -> Iterator[Line]:
    """A line, and what turns of codes and regression make of it."""
    for _ in range(_TURNS):
        yield line
        line = groups.regression(groups.codes(line), line)
    yield line
