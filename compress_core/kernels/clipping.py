"""How many values lie beyond the numbers that their group can become."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.floats import widen
from compress_core.kernels.trials import row_slices
from compress_core.kernels.twins import twin

Floats = NDArray[np.float32]


@twin
def beyond(
    raw: NDArray[Any],
    code: str,
    width: int,
    ends: tuple[Floats, Floats],
    gone: NDArray[np.bool_] | None,
) -> int:
    """Values below the low or above the high end of their group.

    :param raw: (rows, columns) in the storage dtype of ``code``; ``width`` columns have one low and
        one high end, which are (rows, groups), or (1, 1) for all of them.
    :param gone: elements that do not count; ``None``: all do.
    """
    values = raw if code == "F32" else widen(raw, code)
    low, high = (np.broadcast_to(end, (len(values), end.shape[1])) for end in ends)
    found = 0
    for rows in row_slices(*values.shape):
        for columns, groups, own in _evenly(values.shape[1], width, low.shape[1]):
            work = values[rows, columns].reshape(-1, groups.stop - groups.start, own)
            outside = work < low[rows, groups, None]
            outside |= work > high[rows, groups, None]
            if gone is not None:
                outside &= ~gone[rows, columns].reshape(outside.shape)
            found += int(np.count_nonzero(outside))
    return found


def _evenly(columns: int, width: int, groups: int) -> Iterator[tuple[slice, slice, int]]:
    """Columns, their groups and the width of these: the whole ones, then a ragged last one."""
    whole = columns // width if groups > 1 else 0
    if whole:
        yield slice(0, whole * width), slice(0, whole), width
    if columns > whole * width:
        yield slice(whole * width, columns), slice(groups - 1, groups), columns - whole * width


def in_order(one: Floats, other: Floats) -> tuple[Floats, Floats]:
    """The smaller and the larger: a negative scale turns the ends around."""
    return np.minimum(one, other), np.maximum(one, other)
