"""First and second moments of what a layer gets, summed in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Moments:
    """Sums over the inputs of one layer.

    :ivar count: inputs so far.
    :param columns: elements of an input.
    """

    def __init__(self, columns: int) -> None:
        self.count = 0
        self._squares = np.zeros((columns, columns))
        self._sums = np.zeros(columns)

    def add(self, inputs: NDArray[Any]) -> None:
        """More inputs, (inputs, columns)."""
        wide = inputs.astype(np.float64)
        self._squares += wide.T @ wide
        self._sums += wide.sum(axis=0)
        self.count += len(wide)

    @property
    def gram(self) -> NDArray[np.float32]:
        """The mean of x xᵀ, (columns, columns)."""
        return (self._squares / self.count).astype(np.float32)

    @property
    def mean(self) -> NDArray[np.float32]:
        """The mean of x, (columns,)."""
        return (self._sums / self.count).astype(np.float32)
