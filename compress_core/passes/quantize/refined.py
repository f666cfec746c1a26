"""Codes that are chosen by what the layer gives, each way with what it needs of a Gram matrix."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_core.fitting import Fitting
from compress_core.kernels.calibrated.descent import descend
from compress_core.kernels.calibrated.factor import damp
from compress_core.kernels.calibrated.gptq import Ordered, gptq
from compress_core.kernels.calibrated.grid import Grid, Slope
from compress_core.kernels.calibrated.problem import Floats, Mask, without
from compress_core.kernels.calibrated.ste import straight_through
from compress_core.kernels.scales import nearest_scale
from compress_core.passes.base import GRAM_ROWS, Settled, Waiting
from compress_core.schemes.base import SCALE_DTYPES, Parameters, Scheme
from compress_core.tiles import Quantized, Tile

Search = Callable[[Floats, Grid], Floats]


class GridOfScheme(Grid):
    """The numbers of a scheme with the parameters of some rows.

    Scales and means of 16 bits and more may be moved, where each row has its own; not those of a
    line that ends at a value of its group, which have a bias.

    :ivar parameters: as they are by now.
    """

    def __init__(
        self, scheme: Scheme, parameters: Parameters, fitting: Fitting, mask: Mask | None
    ) -> None:
        self._scheme = scheme
        self._fitting = fitting
        self._mask = mask
        self.parameters = {name: one.copy() for name, one in parameters.items()}

    def nearest(self, values: Floats) -> Floats:
        found = self._scheme.decode(
            self._scheme.encode(values, self.parameters, self._fitting), self.parameters
        )
        return found if self._mask is None else without(found, self._mask)

    def nearest_of_column(self, column: int, values: Floats) -> Floats:
        own = self._of_column(column)
        codes = self._scheme.encode(values[:, None], own, self._fitting)
        found = self._scheme.decode(codes, own)[:, 0]
        return found if self._mask is None else without(found, self._mask[:, column])

    def _of_column(self, column: int) -> Parameters:
        """The parameters of a column's group; those of the whole tensor as they are."""
        found = {}
        for name, one in self.parameters.items():
            group = column // self._width if one.shape[1] > 1 else 0
            found[name] = one[:, group : group + 1]
        return found

    @property
    def _width(self) -> int:
        return self._scheme.group_size if isinstance(self._scheme.group_size, int) else 1

    def slopes(self, values: Floats) -> Iterator[Slope]:
        shared = self._scheme.rows > 1 or self._scheme.group_size == "tensor"
        if shared or "bias" in self.parameters:
            return
        width = self._scheme.width(len(values))
        movable = [
            name
            for name, kind in self._scheme.parameters().items()
            if name in ("scale", "mean") and kind.dtype in SCALE_DTYPES
        ]
        for group in range(self._scheme.groups(len(values))):
            columns = slice(group * width, min((group + 1) * width, len(values)))
            for name in movable:
                yield Slope(name, group, columns, self._slope(name, group, columns, values))

    def _slope(self, name: str, group: int, columns: slice, values: Floats) -> Floats:
        if name == "mean":
            slope: Floats = np.ones_like(values[columns])
        else:
            own = values[columns]
            if "mean" in self.parameters:
                own = own - self.parameters["mean"][:, group]
            slope = np.divide(own, self.parameters["scale"][:, group], dtype=np.float32)
        return slope if self._mask is None else without(slope, self._mask[:, columns].T)

    def move(self, slope: Slope, change: Floats) -> Floats:
        dtype = self._scheme.parameters()[slope.name].dtype
        before = self.parameters[slope.name][:, slope.group].copy()
        after = nearest_scale(before + change, dtype)
        if slope.name == "scale":  # one that changes its sign would give up its codes
            after = np.where(np.signbit(after) == np.signbit(before), after, before)
        after = np.where(change == 0, before, after)
        self.parameters[slope.name][:, slope.group] = after
        return np.asarray(after - before)


@dataclass(frozen=True)
class Refined(Waiting):
    """A way to choose codes that waits for the Gram matrix of a tensor.

    :ivar surveyed: what was found over the whole tensor; ``None``: nothing was looked for.
    :ivar damping: share of the mean of its diagonal that is added to the diagonal.
    """

    scheme: Scheme
    fitting: Fitting
    surveyed: Parameters | None
    damping: float

    def prepared(self, gram: NDArray[np.float32]) -> Settled:
        damp(gram, self.damping)
        return Searched(self.scheme, self.fitting, self.surveyed, self.search(gram))

    @abstractmethod
    def search(self, gram: Floats) -> Search:
        """The way with what follows from a damped Gram matrix, which it may keep."""


@dataclass(frozen=True)
class Searched(Settled):
    """A way to choose codes that knows the inputs of one tensor."""

    scheme: Scheme
    fitting: Fitting
    surveyed: Parameters | None
    search: Search

    def apply(self, tile: Tile) -> None:
        values, mask, found = tile.values, tile.mask, self.surveyed
        if found is None or self.scheme.group_size != "tensor":
            found = self.scheme.fit(values, mask, self.fitting, found)
        codes = np.empty(values.shape, dtype=np.uint8)
        pieces = []
        for first in range(0, len(values), GRAM_ROWS):
            own = slice(first, first + GRAM_ROWS)
            part = {name: one if len(one) == 1 else one[own] for name, one in found.items()}
            grid = GridOfScheme(
                self.scheme, part, self.fitting, None if mask is None else mask[own]
            )
            numbers = self.search(values[own], grid)
            codes[own] = self.scheme.encode(numbers, grid.parameters, self.fitting)
            pieces.append(grid.parameters)
        tile.quantize(Quantized(self.scheme, codes, _joined(pieces, found)))


def _joined(pieces: list[Parameters], found: Parameters) -> Parameters:
    """The parameters of all blocks of rows; what is of the whole tensor once."""
    return {
        name: np.concatenate([piece[name] for piece in pieces]) if len(one) > 1 else pieces[0][name]
        for name, one in found.items()
    }


class Gptq(Refined):
    def search(self, gram: Floats) -> Search:
        ordered = Ordered.of(gram)
        return lambda weights, grid: gptq(weights, grid, ordered)


class Descent(Refined):
    def search(self, gram: Floats) -> Search:
        ordered = Ordered.of(gram)
        return lambda weights, grid: descend(weights, gptq(weights, grid, ordered), grid, gram)


class StraightThrough(Refined):
    def search(self, gram: Floats) -> Search:
        return lambda weights, grid: straight_through(weights, grid, gram)


WAYS: Mapping[str, type[Refined]] = {"gptq": Gptq, "cd": Descent, "ste": StraightThrough}
