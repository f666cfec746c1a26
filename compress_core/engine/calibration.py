"""What a run does with Gram matrices, of which those of one tensor are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING, Any

from compress_core.grams import Grams
from compress_core.metrics import (
    Moments,
    Offset,
    OutputSquares,
    observe_outputs,
    observe_weighted,
)
from compress_core.passes.base import Decided, Settled, Survey, Waiting
from compress_core.planning import Plan, TensorPlan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Tile


@dataclass(frozen=True)
class _InputsOf:
    """What a Gram file knows of the inputs of one tensor."""

    grams: Grams
    name: str

    def matrix(self) -> NDArray[np.float32]:
        return self.grams.matrix(self.name)

    def held_out(self, first: int, stop: int) -> NDArray[np.float32]:
        return self.grams.rows(self.name, "held_out", first, stop)


class Calibration:
    """The Gram matrices of a plan.

    :param grams: what is known of the inputs of layers; ``None``: nothing.
    """

    def __init__(self, plan: Plan, grams: Grams | None) -> None:
        self._plan = plan
        self._grams = grams
        self._ready: dict[tuple[int, str], Settled] = {}
        self._observers: dict[str, Callable[[Tile], Any]] = {}
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
        columns = self._grams.columns.get(self._key(owner.info.name), 0)
        # two matrices of float32 are what one is looked through in before it is used
        least = 0 if self._grams.diagonal else 2
        return columns**2 * 4 * max(least, owner.gram_matrices)

    def _key(self, name: str) -> str:
        """The tensor whose Gram matrix another one is fitted by: usually itself."""
        return self._plan.gram_of.get(name, name)

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
        return decided.given(self._grams.matrix(self._key(name)))

    def observer(self, survey: Survey, name: str) -> Callable[[Tile], Any]:
        """What looks at the tiles of one tensor for a survey, the only one in work."""
        name, grams = self._key(name), self._grams
        if grams is None or not survey.by_gram or name not in grams.columns:
            return survey.observe
        with self._preparing:
            if name not in self._observers:
                self._observers[name] = survey.given(_InputsOf(grams, name))
            return self._observers[name]

    def forget(self) -> None:
        """Let go of what was computed of Gram matrices."""
        self._ready.clear()
        self._observers.clear()

    def means(self, name: str) -> Mapping[str, NDArray[np.float64]]:
        """Sample → the mean of what a layer gets, where it is known."""
        if self._grams is None:
            return {}
        means = self._grams.means(self._key(name))
        return {str(sample): mean for sample, mean in means.items()}

    def tells_outputs(self, one: TensorPlan) -> bool:
        """Whether a Gram matrix tells the error of what the layer of a changed weight gives."""
        name = self._key(self._plan.owner(one).info.name)
        return self._grams is not None and name in self._grams.columns and one.form.touched

    def with_outputs(self, found: Moments, tile: Tile, bias: NDArray[np.float64] | None) -> Moments:
        """The error of a tile and of what the layer gives.

        A sample without a mean is left out where another has one and the bias does not stay what
        it was: the error of what the layer gives is not known then.

        :param bias: b − b̂ of all rows of the weight; ``None``: it stays, or there is none.
        """
        name, grams = self._key(tile.info.name), self._grams
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
