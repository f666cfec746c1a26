"""How far a reader's values are from the original ones, in statistics that any tiling agrees on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compress_core.kernels.exact import exact_sum
from compress_core.report import ErrorResult, OutputErrors, Squares

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.kernels.differences import Weighed
    from compress_core.tiles import Tile


OUTPUT_ROWS = 256
"""Rows of a Gram matrix that are multiplied at once."""

KEPT_GRAIN = 64 * 1024
"""Elements that are summed at once where a tensor is copied and not seen as a matrix."""


@dataclass(frozen=True, slots=True)
class OutputSquares:
    """Sums a grain: tr((W−Ŵ) H (W−Ŵ)ᵀ), and tr(W H Wᵀ)."""

    errors: tuple[float, ...] = ()
    references: tuple[float, ...] = ()

    def joined(self, other: OutputSquares) -> OutputSquares:
        """Those of both."""
        return OutputSquares(self.errors + other.errors, self.references + other.references)

    def closed(self) -> OutputSquares:
        """Two sums instead of two a grain. Rounding may take one below zero."""
        return OutputSquares(
            (max(0.0, exact_sum(self.errors)),), (max(0.0, exact_sum(self.references)),)
        )


@dataclass(frozen=True, slots=True)
class Offset:
    """A bias that does not stay what it was, beside a weight.

    :ivar change: b − b̂ of all rows of the weight, in float64.
    :ivar mean: the mean of the inputs, (columns,), in float64.
    """

    change: NDArray[np.float64]
    mean: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """What one tile adds: sums a grain, and figures for which order does not matter.

    :ivar error_squares: Σ(W−Ŵ)² of each grain; ``reference_squares``: ΣW².
    :ivar max_abs: the largest |W−Ŵ|.
    :ivar zeros: elements that are zero afterwards.
    :ivar outputs: sample of inputs → the same sums over what the layer gives.
    :ivar clipped: values cut off at the ends of their range; ``None``: nothing had one.
    """

    error_squares: tuple[float, ...]
    reference_squares: tuple[float, ...]
    max_abs: float
    zeros: int
    outputs: Mapping[str, OutputSquares] = field(default_factory=dict)
    clipped: int | None = None


class ErrorStats:
    """Error of one tensor or of many; closed by :meth:`result`.

    Sums of grains are added exactly (Shewchuk's algorithm, ``math.fsum``), so order and tiling
    cannot change them.
    """

    __slots__ = ("_errors", "_outputs", "_references", "clipped", "elements", "max_abs", "zeros")

    def __init__(self) -> None:
        self._errors: list[float] = []
        self._references: list[float] = []
        self._outputs: dict[str, OutputSquares] = {}
        self.max_abs = 0.0
        self.zeros = 0
        self.clipped: int | None = None
        self.elements = 0

    def update(self, moments: Moments, elements: int) -> None:
        """Add a tile of ``elements`` elements."""
        self._errors.extend(moments.error_squares)
        self._references.extend(moments.reference_squares)
        self.max_abs = max(self.max_abs, moments.max_abs)
        self.zeros += moments.zeros
        self.elements += elements
        if moments.clipped is not None:
            self.clipped = (self.clipped or 0) + moments.clipped
        for sample, squares in moments.outputs.items():
            self._outputs[sample] = self._outputs.get(sample, OutputSquares()).joined(squares)

    @property
    def error_square(self) -> float:
        """Σ(W−Ŵ)²."""
        return exact_sum(self._errors)

    @property
    def reference_square(self) -> float:
        """ΣW²; not finite when the tensor holds NaN or infinity."""
        finite = all(map(math.isfinite, self._references))
        return exact_sum(self._references) if finite else math.inf

    def recorded(self, error: ErrorResult) -> ErrorStats:
        """The same elements with an error that was measured before."""
        found = copy(self)
        found._errors, found._references = [error.error_square], [error.reference_square]
        found.max_abs = error.max_abs
        return found

    def close(self) -> ErrorStats:
        """Keep two sums instead of one a grain; of many tensors only closed ones are held."""
        self._errors, self._references = [self.error_square], [self.reference_square]
        self._outputs = {sample: found.closed() for sample, found in self._outputs.items()}
        return self

    @property
    def outputs(self) -> OutputErrors | None:
        """The error of what the layer gives; ``None`` where no Gram matrix tells it."""
        found = {
            sample: Squares(*one.closed().errors, *one.closed().references)
            for sample, one in self._outputs.items()
        }
        return OutputErrors(found["in_sample"], found.get("held_out")) if found else None

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
    from compress_core.kernels.differences import finite_alone

    grains = _grains(tile)
    if tile.plain is not tile.raw and not all(
        math.isfinite(one.reference_square) for one in grains
    ):
        codes, stored = (tile.info.dtype.code, tile.dtype.code), tile.stored()
        pieces = [slice(first, first + tile.grain) for first in tile.grains()]
        grains = [
            one
            if math.isfinite(one.reference_square)
            else finite_alone(tile.raw[rows], stored[rows], codes, one)
            for one, rows in zip(grains, pieces, strict=True)
        ]
    return Moments(
        tuple(grain.error_square for grain in grains),
        tuple(grain.reference_square for grain in grains),
        max((0.0, *(grain.max_abs for grain in grains))),
        sum(grain.zeros for grain in grains),
        clipped=tile.clipped,
    )


def _grains(tile: Tile) -> list[Weighed]:
    """What each grain of a tile adds, NaN and infinity included."""
    from compress_core.kernels.differences import grains

    code, stored, coded = tile.info.dtype.code, tile.dtype.code, tile.codes
    if coded is None or not (tile.mask is None or coded.scheme.holds_zero):
        return grains(tile.raw, tile.stored(), (code, stored), tile.grain)
    return coded.scheme.rounding_errors(
        tile.raw, code, coded.codes, coded.parameters, stored, tile.grain
    )


def observe_outputs(
    tile: Tile,
    rows: Callable[[int, int], NDArray[np.float32]],
    offset: Offset | None = None,
) -> OutputSquares:
    """What a tile adds to the error of what its layer gives.

    In float64, a grain at a time: matrix products are those of BLAS, whose sums depend on shapes.

    :param rows: first, end → these rows of the Gram matrix. They are read as they are needed, so
        that no second matrix is in memory.
    :param offset: with δ = b − b̂ a row adds 2·δ·(w−ŵ)ᵀE[x] + δ² to its error.
    """
    import numpy as np

    from compress_core.kernels.sums import ordered_sum

    errors, references = [], []
    for first, before, gap in _gaps(tile):
        sums = [0.0 if offset is None else _with_bias(gap, tile.start + first, offset), 0.0]
        for start in range(0, before.shape[1], OUTPUT_ROWS):
            gram = rows(start, start + OUTPUT_ROWS).astype(np.float64)
            part = slice(start, start + len(gram))
            for at, values in enumerate((gap, before)):
                sums[at] += float(ordered_sum(((values[:, part] @ gram) * values).reshape(-1)))
        errors.append(sums[0])
        references.append(sums[1])
    return OutputSquares(tuple(errors), tuple(references))


def observe_weighted(tile: Tile, energies: NDArray[np.float64]) -> OutputSquares:
    """The same where H is diagonal: Σ h_j (w_ij − ŵ_ij)², without any matrix.

    :param energies: the diagonal, (columns,).
    """
    from compress_core.kernels.sums import ordered_sum

    errors: list[float] = []
    references: list[float] = []
    for _, before, gap in _gaps(tile):
        for sums, values in ((errors, gap), (references, before)):
            sums.append(float(ordered_sum((values * values * energies).reshape(-1))))
    return OutputSquares(tuple(errors), tuple(references))


def _gaps(tile: Tile) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
    """Of each grain its first row in the tile, W, and W − Ŵ."""
    import numpy as np

    from compress_core.kernels import floats

    code, stored = tile.info.dtype.code, tile.stored()
    for first in tile.grains():
        own = slice(first, first + tile.grain)
        before = floats.native(tile.raw[own], code).astype(np.float64)
        yield first, before, before - floats.native(stored[own], tile.dtype.code)


def _with_bias(gap: NDArray[np.float64], first: int, offset: Offset) -> float:
    from compress_core.kernels.sums import ordered_sum

    change = offset.change[first : first + len(gap)]
    return float(ordered_sum(change * (2 * ordered_sum(gap * offset.mean) + change)))


def mean_shift(tile: Tile, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """(W − Ŵ) E[x]: what the rows of a tile have lost of the mean of what they give.

    :param mean: E[x], (columns,).
    """
    import numpy as np

    from compress_core.kernels.sums import ordered_sum

    return np.concatenate([ordered_sum(gap * mean) for _, _, gap in _gaps(tile)])


def observe_kept(raw: NDArray[Any], code: str) -> Moments:
    """What elements that nobody changed add: no error, but weight and zeros. ``raw`` is flat."""
    from compress_core.kernels.differences import weight

    # NaN and infinity of kept tensors end up in the sum, which says so
    firsts = range(0, raw.size, KEPT_GRAIN)
    found = [weight(raw[first : first + KEPT_GRAIN], code) for first in firsts]
    squares = tuple(square for square, _ in found)
    return Moments((0.0,) * len(squares), squares, 0.0, sum(zeros for _, zeros in found))
