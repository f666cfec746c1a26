"""Read all values of a container and say what they are like.

Two sweeps: the first finds range and mean, the second what is measured against them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from compress_core.container import Reader
from compress_core.dtypes import DTYPES
from compress_core.kernels.exact import exact_sum
from compress_core.scanning import Span, Subject, elements, scan
from compress_core.settings import Settings
from compress_core.statistics import TensorStatistics
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    from compress_core.kernels.distribution import Extent


@dataclass(frozen=True)
class _Range:
    """What the first sweep tells of a tensor.

    :ivar mean: of floats, ``None`` where there is none or float64 cannot hold the sum.
    :ivar bounds: the smallest and the largest of floats that are not all equal.
    :ivar fits: as in :class:`TensorStatistics`.
    """

    extent: Extent
    mean: float | None
    bounds: tuple[float, float] | None
    fits: tuple[str, ...]


@dataclass(frozen=True)
class _Spread:
    """What the second sweep tells of a tensor; ``squares`` are Σ(x−mean)² of each grain."""

    squares: tuple[float, ...]
    histogram: tuple[int, ...]

    @classmethod
    def joined(cls, parts: Iterable[_Spread]) -> _Spread:
        """Of all the elements of ``parts``, in their order."""
        known = list(parts)
        return cls(
            squares=tuple(square for one in known for square in one.squares),
            histogram=tuple(map(sum, zip(*(one.histogram for one in known), strict=True))),
        )


def measure(reader: Reader, settings: Settings | None = None) -> dict[str, TensorStatistics]:
    """Statistics of every tensor, by name: of the values that a reader gets.

    Hidden precision is looked for where plain values are stored: what a layout holds as codes would
    not get smaller by it.

    :raises InputError: the data cannot be read, or do not belong together.
    """
    settings = settings or Settings()
    subjects = [
        Subject(info, by_rows=name in reader.forms)
        for name, info in reader.infos.items()
        if info.dtype.storage is not None and info.dtype.kind != "complex"
    ]
    ranges = _ranges(reader, subjects, settings)
    spreads = _spreads(reader, subjects, ranges, settings)
    found = {
        name: _statistics(reader.infos[name], known, spreads.get(name))
        for name, known in ranges.items()
    }
    return {name: found.get(name, TensorStatistics()) for name in reader.infos}


def _ranges(reader: Reader, subjects: Sequence[Subject], settings: Settings) -> dict[str, _Range]:
    from compress_core.kernels.distribution import Extent

    def look(span: Span[Subject]) -> tuple[Extent, tuple[str, ...]]:
        return _look(reader, span)

    # what has no elements is not scanned
    found = {one.info.name: _Range(Extent(), None, None, ()) for one in subjects}
    for subject, parts in groupby(scan("range", subjects, look, settings), key=itemgetter(0)):
        extents, fits = zip(*(part for _, part in parts), strict=True)
        extent = Extent.joined(extents)
        found[subject.info.name] = _Range(
            extent=extent,
            mean=_mean(subject.info, extent),
            bounds=_bounds(extent),
            fits=tuple(code for code in fits[0] if all(code in some for some in fits)),
        )
    return found


def _look(reader: Reader, span: Span[Subject]) -> tuple[Extent, tuple[str, ...]]:
    from compress_core.kernels import distribution, precision

    info = span.subject.info
    raw = elements(reader, info.name, span.start, span.stop)
    if not info.dtype.is_float:
        return distribution.extent_of_integers(raw), ()
    extent = distribution.Extent.joined(
        distribution.extent_of_floats(raw[grain], info.dtype.code) for grain in span.grains()
    )
    plain = info.dtype.code in precision.NARROWER and not span.subject.by_rows
    return extent, precision.fitting(raw, info.dtype.code) if plain else ()


def _mean(info: TensorInfo, extent: Extent) -> float | None:
    count = info.elements - extent.nan - extent.infinite
    if not extent.sums or not count:
        return None
    mean = exact_sum(extent.sums) / count
    return mean if math.isfinite(mean) else None


def _bounds(extent: Extent) -> tuple[float, float] | None:
    if not extent.sums or extent.low is None or extent.high is None:
        return None
    return (extent.low, extent.high) if extent.low < extent.high else None


def _spreads(
    reader: Reader,
    subjects: Sequence[Subject],
    ranges: Mapping[str, _Range],
    settings: Settings,
) -> dict[str, _Spread]:
    def look(span: Span[Subject]) -> _Spread:
        return _look_again(reader, span, ranges[span.subject.info.name])

    spread = [one for one in subjects if ranges[one.info.name].bounds]
    found = {}
    for subject, parts in groupby(scan("spread", spread, look, settings), key=itemgetter(0)):
        found[subject.info.name] = _Spread.joined(part for _, part in parts)
    return found


def _look_again(reader: Reader, span: Span[Subject], known: _Range) -> _Spread:
    from compress_core.kernels.distribution import deviation, histogram

    info = span.subject.info
    raw = elements(reader, info.name, span.start, span.stop)
    pieces = [raw[grain] for grain in span.grains()]
    mean, bounds = known.mean, known.bounds or (0.0, 0.0)
    return _Spread.joined(
        _Spread(
            squares=() if mean is None else (deviation(piece, info.dtype.code, mean),),
            histogram=histogram(piece, info.dtype.code, *bounds),
        )
        for piece in pieces
    )


def _statistics(info: TensorInfo, known: _Range, spread: _Spread | None) -> TensorStatistics:
    extent = known.extent
    finite = info.elements - extent.nan - extent.infinite
    return TensorStatistics(
        finite=finite,
        low=extent.low,
        high=extent.high,
        mean=known.mean,
        std=_std(finite, known.mean, spread),
        zeros=extent.zeros,
        nan=extent.nan if info.dtype.is_float else None,
        infinite=extent.infinite if info.dtype.is_float else None,
        histogram=None if spread is None else spread.histogram,
        fits=known.fits,
        saves=_saved(info, known.fits),
    )


def _std(finite: int, mean: float | None, spread: _Spread | None) -> float | None:
    if mean is None:
        return None
    if spread is None:  # all are equal
        return 0.0
    std = math.sqrt(exact_sum(spread.squares) / finite)
    return std if math.isfinite(std) else None


def _saved(info: TensorInfo, fits: Sequence[str]) -> int:
    narrowest = min((DTYPES[code].bits for code in fits), default=info.dtype.bits)
    return info.nbytes - info.elements * narrowest // 8
