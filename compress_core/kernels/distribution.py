"""How the values of a tensor are spread: range, sums, what is no number, a histogram."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.floats import count_zeros, native
from compress_core.kernels.sums import ordered_sum, square_sum

BINS = 16
"""Bins of a histogram: of equal width from the smallest finite value to the largest."""


@dataclass(frozen=True, slots=True)
class Extent:
    """What one look at some elements tells.

    :ivar low: the smallest finite value, ``None`` if there is none; ``high``: the largest.
    :ivar zeros: elements that are zero; ``nan``, ``infinite``: that are no numbers.
    :ivar sums: Σ of the finite values of each grain; none for integers.
    """

    low: float | int | None = None
    high: float | int | None = None
    zeros: int = 0
    nan: int = 0
    infinite: int = 0
    sums: tuple[float, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[Extent]) -> Extent:
        """Of all the elements of ``parts``, in their order."""
        known = list(parts)
        return cls(
            low=min((one.low for one in known if one.low is not None), default=None),
            high=max((one.high for one in known if one.high is not None), default=None),
            zeros=sum(one.zeros for one in known),
            nan=sum(one.nan for one in known),
            infinite=sum(one.infinite for one in known),
            sums=tuple(total for one in known for total in one.sums),
        )


def extent_of_floats(raw: NDArray[Any], code: str) -> Extent:
    """The extent of one grain of floats in their storage dtype."""
    values = native(raw, code)
    zeros = count_zeros(values)
    with np.errstate(invalid="ignore"):
        low, high = values.min(), values.max()
    if np.isfinite(low) and np.isfinite(high):  # NaN would be the smallest of all
        return Extent(float(low), float(high), zeros, sums=(_sum(values),))
    finite = np.isfinite(values)
    numbers = values[finite]
    nan = int(np.count_nonzero(np.isnan(values)))
    return Extent(
        low=float(numbers.min()) if numbers.size else None,
        high=float(numbers.max()) if numbers.size else None,
        zeros=zeros,
        nan=nan,
        infinite=values.size - numbers.size - nan,
        sums=(_sum(np.where(finite, values, 0)),),
    )


def extent_of_integers(values: NDArray[Any]) -> Extent:
    """The extent of integers."""
    zeros = values.size - int(np.count_nonzero(values))
    return Extent(int(values.min()), int(values.max()), zeros)


def deviation(raw: NDArray[Any], code: str, mean: float) -> float:
    """Σ(x − ``mean``)² over the finite elements of one grain of floats, in float64."""
    values = _wide(raw, code)
    values -= mean
    found = square_sum(values)
    return found if np.isfinite(found) else square_sum(np.where(np.isfinite(values), values, 0))


def histogram(raw: NDArray[Any], code: str, low: float, high: float) -> tuple[int, ...]:
    """How many finite elements of a grain are in each of ``BINS`` bins from ``low`` to ``high``.

    A bin has its lower edge, and the last one ``high`` as well; ``low`` < ``high``.
    """
    values = _wide(raw, code)
    if not np.isfinite(high - low):  # a range that float64 cannot hold, its half it can
        values, low, high = values / 2, low / 2, high / 2
    values = values[np.isfinite(values)]
    values -= low
    values /= high - low
    values *= BINS
    places = np.minimum(values.astype(np.int64), BINS - 1)
    return tuple(np.bincount(places, minlength=BINS).tolist())


def _wide(raw: NDArray[Any], code: str) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        return native(raw, code).astype(np.float64)


def _sum(values: NDArray[Any]) -> float:
    with np.errstate(over="ignore"):
        return float(ordered_sum(values))
