"""Rows that go by what the layer gives without them.

A row of weights gives one output, so what is lost with row w_i is w_i H w_iᵀ, whatever becomes of
the others: no other row can make up for it, and those with the least are the best choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels import ranking
from compress_core.kernels.sums import ordered_sum
from compress_core.passes.base import GRAM_ROWS, Inputs, Settled, Survey
from compress_core.passes.prune.counting import share
from compress_core.passes.prune.units import Scoring, norms
from compress_core.tensors import TensorInfo
from compress_core.tiles import Tile

Scores = NDArray[np.float64]


class RowOutputs(Survey):
    """√(w H wᵀ) of every row of a tensor: the root mean square of what it gives."""

    by_gram: ClassVar[bool] = True

    def __init__(self) -> None:
        self._scores: list[Scores] = []

    def observe(self, tile: Tile) -> Scores:
        return norms(tile.values, "l2")

    def given(self, inputs: Inputs) -> Callable[[Tile], Scores]:
        gram = inputs.matrix()
        return lambda tile: outputs_of_rows(tile.values, gram)

    def absorb(self, info: TensorInfo, start: int, partial: Scores) -> None:
        self._scores.append(partial)

    def settle(self, sparsity: float) -> Rows:
        """The rows that go: a share of all, those that give least."""
        keys = Scoring.of_scores(np.concatenate(self._scores))
        return Rows(ranking.smallest(keys[None, :], share(sparsity, len(keys)))[0])


@dataclass(frozen=True)
class Rows(Settled):
    """Whole rows of one tensor, chosen beforehand.

    :ivar chosen: (rows of the tensor,).
    """

    chosen: NDArray[np.bool_]

    def apply(self, tile: Tile) -> None:
        own = self.chosen[tile.start : tile.stop, None]
        tile.prune(np.broadcast_to(own, tile.raw.shape))

    @property
    def remark(self) -> str:
        return "rows that give least are gone, whatever the method, and nothing can make up for one"


def outputs_of_rows(values: NDArray[np.float32], gram: NDArray[np.float32]) -> Scores:
    """√(w H wᵀ) of each row of (rows, columns) values, in float64; with H = I the L2 norms."""
    found = np.empty(len(values))
    for first in range(0, len(values), GRAM_ROWS):
        own = values[first : first + GRAM_ROWS].astype(np.float64)
        image = np.empty_like(own)
        for left in range(0, len(gram), GRAM_ROWS):
            # H is symmetric: these rows are its columns
            part = slice(left, left + GRAM_ROWS)
            image[:, part] = own @ gram[part].T.astype(np.float64)
        image *= own
        found[first : first + GRAM_ROWS] = ordered_sum(image)
    return np.asarray(np.sqrt(np.maximum(found, 0)))
