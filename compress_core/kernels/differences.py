"""How far two arrays of elements are apart.

Values are compared, not bits: −0 equals 0, and NaN equals NaN whatever its payload.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.floats import count_zeros, native
from compress_core.kernels.sums import square_sum
from compress_core.kernels.twins import twin


@dataclass(frozen=True, slots=True)
class Distance:
    """How far elements of A and B are apart.

    :ivar error_squares: Σ(a−b)² of each grain over the elements that are finite in both;
        ``reference_squares``: Σa²; ``max_abs``: the largest |a−b|.
    :ivar differing: elements of different value.
    :ivar nonfinite: those of them that are NaN or infinite on one side or both.
    :ivar zeros_a: elements that are zero in A; ``zeros_b``: in B.
    """

    error_squares: tuple[float, ...] = ()
    reference_squares: tuple[float, ...] = ()
    max_abs: float = 0.0
    differing: int = 0
    nonfinite: int = 0
    zeros_a: int = 0
    zeros_b: int = 0

    @classmethod
    def joined(cls, parts: Iterable[Distance]) -> Distance:
        """Of all the elements of ``parts``, in their order."""
        known = list(parts)
        return cls(
            error_squares=tuple(square for one in known for square in one.error_squares),
            reference_squares=tuple(square for one in known for square in one.reference_squares),
            max_abs=max((one.max_abs for one in known), default=0.0),
            differing=sum(one.differing for one in known),
            nonfinite=sum(one.nonfinite for one in known),
            zeros_a=sum(one.zeros_a for one in known),
            zeros_b=sum(one.zeros_b for one in known),
        )


class Measured(NamedTuple):
    """What one look at a grain of two arrays A and B of floats tells.

    :ivar error_square: Σ(a−b)²; ``reference_square``: Σa²; ``max_abs``: the largest |a−b|. NaN or
        infinite where an element is.
    :ivar same: elements without a difference.
    :ivar zeros_a: elements that are zero in A; ``zeros_b``: in B.
    """

    error_square: float
    reference_square: float
    max_abs: float
    same: int
    zeros_a: int
    zeros_b: int


class Weighed(NamedTuple):
    """What one grain adds to a report: as in :class:`Measured`, with the zeros of B."""

    error_square: float
    reference_square: float
    max_abs: float
    zeros: int


@twin
def measured(a: NDArray[Any], b: NDArray[Any], codes: tuple[str, str]) -> Measured:
    """What sets two arrays of as many floats apart, in storage dtypes, A's and B's.

    The difference is taken in float32 (with F64 on one side: in float64), squares and sums in
    float64 and in the order of :mod:`compress_core.kernels.sums`.
    """
    a, b = native(a, codes[0]), native(b, codes[1])
    with np.errstate(over="ignore", invalid="ignore"):
        difference = a - b
    return Measured(
        error_square=square_sum(difference),
        reference_square=square_sum(a),
        max_abs=float(np.abs(difference).max(initial=0.0)),
        same=count_zeros(difference),
        zeros_a=count_zeros(a),
        zeros_b=count_zeros(b),
    )


@twin
def grains(a: NDArray[Any], b: NDArray[Any], codes: tuple[str, str], grain: int) -> list[Weighed]:
    """What :func:`measured` finds in each ``grain`` rows of two matrices of as many floats."""
    pieces = [slice(first, first + grain) for first in range(0, len(a), grain)]
    found = [measured(a[rows], b[rows], codes) for rows in pieces]
    return [Weighed(*one[:3], one.zeros_b) for one in found]


def finite_alone(
    a: NDArray[Any], b: NDArray[Any], codes: tuple[str, str], found: Weighed
) -> Weighed:
    """``found``, without the elements that are not finite in A."""
    a, b = native(a, codes[0]), native(b, codes[1])
    known = np.isfinite(a)
    a, b = (np.where(known, one, one.dtype.type(0)) for one in (a, b))
    wide = ("F64" if codes[0] == "F64" else "F32", "F64" if codes[1] == "F64" else "F32")
    return Weighed(*measured(a, b, wide)[:3], found.zeros)


@twin
def weight(a: NDArray[Any], code: str) -> tuple[float, int]:
    """Σa² of one grain of floats, in the order of :mod:`compress_core.kernels.sums`, and how many
    of them are zero.
    """
    values = native(a, code)
    return square_sum(values), count_zeros(values)


def between_floats(a: NDArray[Any], b: NDArray[Any], codes: tuple[str, str]) -> Distance:
    """The distance of one grain of floats in storage dtypes, A's and B's.

    As in a report, the difference is taken in float32 (with F64 on one side: in float64), squares
    and sums in float64 and in the order of :mod:`compress_core.kernels.sums`.
    """
    found = measured(a, b, codes)
    if np.isfinite(found.max_abs):
        # no two numbers are so near that they have no difference: IEEE 754 underflows gradually
        return Distance(
            error_squares=(found.error_square,),
            reference_squares=(found.reference_square,),
            max_abs=found.max_abs,
            differing=a.size - found.same,
            zeros_a=found.zeros_a,
            zeros_b=found.zeros_b,
        )
    return _between_finite(native(a, codes[0]), native(b, codes[1]), found)


def _between_finite(a: NDArray[Any], b: NDArray[Any], found: Measured) -> Distance:
    """The distance where some elements are not finite, or too far apart for float32."""
    unlike, finite = unequal(a, b), np.isfinite(a) & np.isfinite(b)
    a, b = np.where(finite, a, 0), np.where(finite, b, 0)
    with np.errstate(over="ignore"):
        difference = a.astype(np.float64) - b
    return Distance(
        error_squares=(square_sum(difference),),
        reference_squares=(square_sum(a),),
        max_abs=float(np.abs(difference).max()),
        differing=_count(unlike),
        nonfinite=_count(unlike & ~finite),
        zeros_a=found.zeros_a,
        zeros_b=found.zeros_b,
    )


def between_same(a: NDArray[Any], code: str) -> Distance:
    """The distance of one grain of floats to itself: none, but it has its weight in a total."""
    square, _ = weight(a, code)
    if not np.isfinite(square):
        values = native(a, code)
        square = square_sum(np.where(np.isfinite(values), values, 0))
    return Distance(error_squares=(0.0,), reference_squares=(square,))


def between_others(a: NDArray[Any], b: NDArray[Any], magnitude: int | None) -> Distance:
    """How many elements of two arrays of integers, complex numbers or bit patterns are unequal.

    :param magnitude: the bits of a pattern that are not its sign, ``None`` for plain numbers.
    """
    zeros_a, zeros_b = (_zeros(one, magnitude) for one in (a, b))
    return Distance(differing=_count(unequal(a, b)), zeros_a=zeros_a, zeros_b=zeros_b)


def unequal(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    """Where two arrays have different values."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        different = np.not_equal(a, b)
    if a.dtype.kind in "fc":
        different &= ~(np.isnan(a) & np.isnan(b))
    return np.asarray(different)


def _zeros(array: NDArray[Any], magnitude: int | None) -> int:
    return array.size - _count(array if magnitude is None else array & array.dtype.type(magnitude))


def _count(array: NDArray[Any]) -> int:
    return int(np.count_nonzero(array))


def change(
    before: NDArray[Any], after: NDArray[Any], codes: tuple[str, str]
) -> NDArray[np.float64]:
    """``before`` − ``after`` in float64, of two arrays of as many floats in storage dtypes; 0 where
    ``before`` is NaN or infinite.
    """
    known = np.asarray(native(before, codes[0]), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        gap = known - native(after, codes[1])
    return np.where(np.isfinite(known), gap, 0.0)
