"""One tensor of a :class:`ViewReader`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress_core.views.axes import Axes
from compress_core.views.source import Source

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Readable:
    """Elements that can be read from any one to any other.

    :ivar start: byte of the source where the first one stands.
    :ivar axes: merged.
    :ivar whole: how many of the last axes are read as a whole, see :func:`whole_axes`.
    """

    source: Source
    start: int
    axes: Axes
    whole: int
    swapped: bool

    def read_into(self, out: np.ndarray[Any, Any], first: int) -> None:
        """Fill ``out``, one dimension of the storage dtype, with elements from ``first`` on."""
        from compress_core.views.gathering import gather

        gather(self.source, self.start, self.axes, self.whole, first, out)
        if self.swapped:
            out.byteswap(inplace=True)
