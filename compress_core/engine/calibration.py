"""What a run does with Gram matrices, of which those of one tensor are in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING

from compress_core.grams import Grams
from compress_core.metrics import (
    Moments,
    Offset,
    OutputSquares,
    observe_outputs,
    observe_weighted,
)
from compress_core.passes.base import Decided, Settled, Waiting
from compress_core.planning import Plan, TensorPlan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Tile


class Calibration:
    """The Gram matrices of a plan.

    :param grams: what is known of the inputs of layers; ``None``: nothing.
    """

    def __init__(self, plan: Plan, grams: Grams | None) -> None:
        self._plan = plan
        self._grams = grams
        self._ready: dict[tuple[int, str], Settled] = {}
        self._preparing = Lock()

    @property
    def beside(self) -> int:
        """Bytes that the Gram matrices of one tensor and what follows from them take."""
        return max(map(self._bytes, self._plan.touched()), default=0)

    @property
    def largest(self) -> str:
        """The tensor whose matrices take the most."""
        return max(self._plan.touched(), key=self._bytes).info.name

    def _bytes(self, one: TensorPlan) -> int:
        if self._grams is None:
            return 0
        owner = self._plan.owner(one)
        columns = self._grams.columns.get(owner.info.name, 0)
        # two matrices of float32 are what one is looked through in before it is used
        least = 0 if self._grams.diagonal else 2
        return columns**2 * 4 * max(least, owner.gram_matrices)

    def apart(self, plans: list[TensorPlan]) -> Iterator[list[TensorPlan]]:
        """Tensors that are swept over together: those with a Gram matrix alone, so that only one is
        in memory.
        """
        for alone, found in groupby(plans, key=lambda one: bool(self._bytes(one))):
            if alone:
                yield from ([one] for one in found)
            else:
                yield list(found)

    def ready(self, decided: Decided, step: int, name: str) -> Settled:
        """A pass for one tensor, with what it computes of a Gram matrix once for all tiles."""
        if isinstance(decided, Settled):
            return decided
        with self._preparing:
            if (step, name) not in self._ready:
                self._ready[step, name] = self._given(decided, name)
            return self._ready[step, name]

    def _given(self, decided: Decided, name: str) -> Settled:
        if self._grams is None or not isinstance(decided, Waiting):
            raise RuntimeError(f"there is no Gram matrix of {name}")
        return decided.given(self._grams.matrix(name))

    def forget(self) -> None:
        """Let go of what was computed of Gram matrices."""
        self._ready.clear()

    def means(self, name: str) -> Mapping[str, NDArray[np.float64]]:
        """Sample → the mean of what a layer gets, where it is known."""
        if self._grams is None:
            return {}
        return {str(sample): mean for sample, mean in self._grams.means(name).items()}

    def tells_outputs(self, one: TensorPlan) -> bool:
        """Whether a Gram matrix tells the error of what the layer of a changed weight gives."""
        name = self._plan.owner(one).info.name
        return self._grams is not None and name in self._grams.columns and one.form.touched

    def with_outputs(self, found: Moments, tile: Tile, bias: NDArray[np.float64] | None) -> Moments:
        """The error of a tile and of what the layer gives.

        A sample without a mean is left out where another has one and the bias does not stay what
        it was: the error of what the layer gives is not known then.

        :param bias: b − b̂ of all rows of the weight; ``None``: it stays, or there is none.
        """
        name, grams = tile.info.name, self._grams
        if grams is None:
            return found
        grams.check(name)
        if grams.diagonal:
            squares = observe_weighted(tile, grams.energies(name, "in_sample"))
            return replace(found, outputs={"in_sample": squares})
        means = {} if bias is None else self.means(name)
        outputs: dict[str, OutputSquares] = {
            sample: observe_outputs(
                tile,
                partial(grams.rows, name, sample),
                None if bias is None or not means else Offset(bias, means[sample]),
            )
            for sample in grams.samples(name)
            if not means or sample in means
        }
        return replace(found, outputs=outputs)
