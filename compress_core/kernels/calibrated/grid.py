"""What values a number format has for some rows, and which of its parameters may be moved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from compress_core.kernels.calibrated.problem import Floats


@dataclass(frozen=True)
class Slope:
    """A parameter of a group of columns that values are linear in.

    :ivar columns: those of the group.
    :ivar slope: what the values of the group gain for each unit of the parameter, (columns, rows).
    """

    name: str
    group: int
    columns: slice
    slope: Floats


class Grid(ABC):
    """The numbers that rows of weights can become; pruned elements are always zero.

    Its object belongs to one block of rows, and keeps the parameters that were moved.
    """

    @abstractmethod
    def nearest(self, values: Floats) -> Floats:
        """What (rows, columns) values become, each by itself."""

    @abstractmethod
    def nearest_of_column(self, column: int, values: Floats) -> Floats:
        """The same for one column: (rows,)."""

    @abstractmethod
    def slopes(self, values: Floats) -> Iterator[Slope]:
        """Parameters that may be moved, one after the other.

        :param values: numbers of the grid, (columns, rows); the caller keeps them up to date.
        """

    @abstractmethod
    def move(self, slope: Slope, change: Floats) -> Floats:
        """Move a parameter, (rows,); by how much it really moved, as it is stored."""
