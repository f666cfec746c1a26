"""How far a reader's values are from the original ones, in statistics that any tiling agrees on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress_core.kernels.exact import exact_sum
from compress_core.report import ErrorResult

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compress_core.kernels.differences import Measured
    from compress_core.tiles import Tile


KEPT_GRAIN = 64 * 1024
"""Elements that are summed at once where a tensor is copied and not seen as a matrix."""


@dataclass(frozen=True, slots=True)
class Moments:
    """What one tile adds: sums a grain, and figures for which order does not matter.

    :ivar error_squares: Σ(W−Ŵ)² of each grain; ``reference_squares``: ΣW².
    :ivar max_abs: the largest |W−Ŵ|.
    :ivar zeros: elements that are zero afterwards.
    """

    error_squares: tuple[float, ...]
    reference_squares: tuple[float, ...]
    max_abs: float
    zeros: int


class ErrorStats:
    """Error of one tensor or of many; closed by :meth:`result`.

    Sums of grains are added exactly (Shewchuk's algorithm, ``math.fsum``), so order and tiling
    cannot change them.
    """

    __slots__ = ("_errors", "_references", "elements", "max_abs", "zeros")

    def __init__(self) -> None:
        self._errors: list[float] = []
        self._references: list[float] = []
        self.max_abs = 0.0
        self.zeros = 0
        self.elements = 0

    def update(self, moments: Moments, elements: int) -> None:
        """Add a tile of ``elements`` elements."""
        self._errors.extend(moments.error_squares)
        self._references.extend(moments.reference_squares)
        self.max_abs = max(self.max_abs, moments.max_abs)
        self.zeros += moments.zeros
        self.elements += elements

    @property
    def error_square(self) -> float:
        """Σ(W−Ŵ)²."""
        return exact_sum(self._errors)

    @property
    def reference_square(self) -> float:
        """ΣW²; not finite when the tensor holds NaN or infinity."""
        finite = all(map(math.isfinite, self._references))
        return exact_sum(self._references) if finite else math.inf

    def close(self) -> ErrorStats:
        """Keep two sums instead of one a grain; of many tensors only closed ones are held."""
        self._errors, self._references = [self.error_square], [self.reference_square]
        return self

    def result(self) -> ErrorResult:
        """The figures people read."""
        return ErrorResult(self.error_square, self.reference_square, self.max_abs)


def total(stats: Iterable[ErrorStats]) -> ErrorStats:
    """The error over all elements of many tensors; those that hold NaN or infinity are left out."""
    whole = ErrorStats()
    for one in stats:
        whole.zeros += one.zeros
        whole.elements += one.elements
        if math.isfinite(one.reference_square):
            whole._errors.append(one.error_square)
            whole._references.append(one.reference_square)
            whole.max_abs = max(whole.max_abs, one.max_abs)
    return whole


def observe(tile: Tile) -> Moments:
    """What a tile adds to the error of its tensor.

    The difference is taken in float32 (F64: in float64), squares and sums in float64; sums are in
    the order of :mod:`compress_core.kernels.sums` over each grain. Elements that are NaN or
    infinite are in no sum of a tensor that was cast; any other has no finite sum then.
    """
    codes, stored = (tile.info.dtype.code, tile.dtype.code), tile.stored()
    was_cast = tile.plain is not tile.raw
    grains = [
        _between(tile.raw[rows], stored[rows], codes, was_cast)
        for rows in (slice(first, first + tile.grain) for first in tile.grains())
    ]
    return Moments(
        tuple(grain.error_square for grain in grains),
        tuple(grain.reference_square for grain in grains),
        max((0.0, *(grain.max_abs for grain in grains))),
        sum(grain.zeros_b for grain in grains),
    )


def _between(
    before: NDArray[Any], after: NDArray[Any], codes: tuple[str, str], finite_alone: bool
) -> Measured:
    """What sets two grains apart; where that is asked for, only elements that are finite count."""
    import numpy as np

    from compress_core.kernels.differences import measured
    from compress_core.kernels.floats import native
    from compress_core.kernels.masks import zeroed

    found = measured(before, after, codes)
    if not finite_alone or math.isfinite(found.reference_square):
        return found
    unknown = ~np.isfinite(native(before, codes[0]))
    known = measured(zeroed(before, unknown), zeroed(after, unknown), codes)
    return known._replace(zeros_b=found.zeros_b)


def observe_kept(raw: NDArray[Any], code: str) -> Moments:
    """What elements that nobody changed add: no error, but weight and zeros. ``raw`` is flat."""
    from compress_core.kernels.differences import weight

    # NaN and infinity of kept tensors end up in the sum, which says so
    firsts = range(0, raw.size, KEPT_GRAIN)
    found = [weight(raw[first : first + KEPT_GRAIN], code) for first in firsts]
    squares = tuple(square for square, _ in found)
    return Moments((0.0,) * len(squares), squares, 0.0, sum(zeros for _, zeros in found))
