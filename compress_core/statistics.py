"""What the values of a tensor are like, as values with a JSON form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compress_core.kernels.exact import exact_sum


@dataclass(frozen=True)
class TensorStatistics:
    """The values of one tensor; what does not apply to it, or cannot be had, is ``None``.

    Floats have everything, integers only range and zeros, and dtypes narrower than a byte or
    complex have nothing.

    :ivar finite: elements that are neither NaN nor infinite: what range, ``mean``, ``std`` and
        ``histogram`` are about.
    :ivar low: the smallest; ``high``: the largest.
    :ivar std: of the elements as they are, not an estimate for others: √(Σ(x−mean)²/n).
    :ivar histogram: elements in bins of equal width from ``low`` to ``high``; ``None`` where all
        are equal.
    :ivar fits: narrower dtypes that hold every value exactly, the narrowest first.
    :ivar saves: bytes that the narrowest of them would save.
    """

    finite: int = 0
    low: float | int | None = None
    high: float | int | None = None
    mean: float | None = None
    std: float | None = None
    zeros: int | None = None
    nan: int | None = None
    infinite: int | None = None
    histogram: tuple[int, ...] | None = None
    fits: tuple[str, ...] = ()
    saves: int = 0

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "min": self.low,
            "max": self.high,
            "mean": self.mean,
            "std": self.std,
            "zeros": self.zeros,
            "nan": self.nan,
            "infinite": self.infinite,
            "histogram": None if self.histogram is None else list(self.histogram),
            "fits": list(self.fits),
            "saves_bytes": self.saves,
        }


def pooled(known: Sequence[TensorStatistics]) -> TensorStatistics:
    """The statistics of all elements of several tensors.

    Exact but for the histogram, which is a picture: the elements of a bin are spread evenly over
    the bins that it meets in the common range, and rounded up. ``fits`` are the dtypes that all of
    them fit.
    """
    if len(known) < 2:
        return known[0] if known else TensorStatistics()
    low = min((one.low for one in known if one.low is not None), default=None)
    high = max((one.high for one in known if one.high is not None), default=None)
    mean, std = _pooled_moments(known)
    return TensorStatistics(
        finite=sum(one.finite for one in known),
        low=low,
        high=high,
        mean=mean,
        std=std,
        zeros=_sum([one.zeros for one in known]),
        nan=_sum([one.nan for one in known]),
        infinite=_sum([one.infinite for one in known]),
        histogram=_pooled_histogram(known, low, high),
        fits=tuple(code for code in known[0].fits if all(code in one.fits for one in known)),
        saves=sum(one.saves for one in known),
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _pooled_moments(known: Sequence[TensorStatistics]) -> tuple[float | None, float | None]:
    parts = [one for one in known if one.finite]
    count = sum(one.finite for one in parts)
    means = [one.mean for one in parts if one.mean is not None]
    stds = [one.std for one in parts if one.std is not None]
    if not count or len(means) < len(parts) or len(stds) < len(parts):
        return None, None
    mean = exact_sum(m * one.finite for m, one in zip(means, parts, strict=True)) / count
    squares = (
        one.finite * (std**2 + (m - mean) ** 2)
        for std, m, one in zip(stds, means, parts, strict=True)
    )
    return mean, math.sqrt(exact_sum(squares) / count)


def _pooled_histogram(
    known: Sequence[TensorStatistics], low: float | None, high: float | None
) -> tuple[int, ...] | None:
    bins = next((len(one.histogram) for one in known if one.histogram is not None), 0)
    if low is None or high is None or not bins or not math.isfinite(high - low):
        return None
    counts = [0.0] * bins
    scale = bins / (high - low) if high > low else 0.0
    for one in known:
        if one.low is not None and one.high is not None:
            own = one.histogram or (one.finite,)
            width = (one.high - one.low) / len(own) * scale
            for index, count in enumerate(own):
                _spread(count, (one.low - low) * scale + index * width, width, counts)
    return tuple(math.ceil(count) for count in counts)


def _spread(count: int, first: float, width: float, counts: list[float]) -> None:
    """Add ``count`` elements between the places ``first`` and ``first + width`` to the bins."""
    last = len(counts) - 1
    start, stop = min(int(first), last), min(int(first + width), last)
    if start == stop:
        counts[start] += count
        return
    for place in range(start, stop + 1):
        inside = min(first + width, place + 1) - max(first, place)
        counts[place] += count * max(inside, 0.0) / width
