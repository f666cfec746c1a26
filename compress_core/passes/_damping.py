"""Damping of a Gram matrix: a number, or the one that does best for inputs nobody fitted to."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.fields import option
from compress_core.passes.base import DAMPING, Inputs, Settled, Survey, Waiting
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Tile

AUTO = "auto"
TRIED = (0.1, 0.03, 0.01, 0.003, 0.001)
"""What ``auto`` chooses among."""


def damping_option() -> Any:
    """The field of a pass."""
    return option(
        "share of its mean that is added to the diagonal of a Gram matrix; auto: for each tensor"
        " the one with the least output error on inputs held out",
        float,
        choices=(AUTO,),
        minimum=0.001,
        maximum=10,
        otherwise=f"{DAMPING}",
    )


class Trial(Survey):
    """A whole tensor made with one damping, and judged by the held-out error of what layers give.

    :param make: damping → the pass with it.
    :param known: (error, damping) of those that were tried before.
    """

    by_gram: ClassVar[bool] = True

    def __init__(
        self,
        make: Callable[[float], Waiting],
        known: tuple[tuple[float, float], ...] = (),
    ) -> None:
        self._make = make
        self._known = known
        self._errors: list[float] = []

    @property
    def _damping(self) -> float:
        return TRIED[len(self._known)]

    def observe(self, tile: Tile) -> tuple[float, ...]:
        """Without a Gram matrix all are alike."""
        return ()

    def given(self, inputs: Inputs) -> Callable[[Tile], tuple[float, ...]]:
        from compress_core.metrics import observe_outputs

        settled = self._make(self._damping).given(inputs.matrix())

        def errors(tile: Tile) -> tuple[float, ...]:
            tried = copy.copy(tile)
            settled.apply(tried)
            return observe_outputs(tried, inputs.held_out).errors

        return errors

    def absorb(self, info: TensorInfo, start: int, partial: tuple[float, ...]) -> None:
        self._errors.extend(partial)

    def next(self) -> Trial | None:
        """The trial of the next damping; ``None`` after the last."""
        known = self._judged()
        return Trial(self._make, known) if len(known) < len(TRIED) else None

    def _judged(self) -> tuple[tuple[float, float], ...]:
        from compress_core.kernels.exact import exact_sum

        return (*self._known, (exact_sum(self._errors), self._damping))

    def best(self) -> Chosen:
        """The pass with the damping that did best; of equals the largest."""
        _, damping = min(self._judged(), key=lambda one: (one[0], -one[1]))
        return Chosen(self._make(damping), damping)


@dataclass(frozen=True)
class Chosen(Waiting):
    """A pass whose damping was chosen by data."""

    work: Waiting
    damping: float

    def prepared(self, gram: NDArray[np.float32]) -> Settled:
        return self.work.prepared(gram)

    @property
    def remark(self) -> str:
        return f"damping auto is {self.damping:g}"
