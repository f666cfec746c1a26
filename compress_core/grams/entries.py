"""The entries of an importance matrix, whatever file they stand in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from compress_core.inputs import InputFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Entry(Protocol):
    """The mean squares of what one tensor gets."""

    @property
    def size(self) -> int:
        """How many values there are: one a column, or of several experts one after the other."""

    def values(self, file: InputFile) -> NDArray[np.float64]:
        """E[x²] of each column, up to a factor that all of them share."""


@dataclass(frozen=True)
class Floats:
    """Numbers of 32 bits in a file.

    :ivar start: first byte.
    """

    start: int
    size: int

    def read(self, file: InputFile) -> NDArray[np.float64]:
        """The numbers."""
        import numpy as np

        data = file.read(self.start, self.start + 4 * self.size)
        return np.frombuffer(data, "<f4").astype(np.float64)
