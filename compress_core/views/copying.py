"""Copy what is read into a region of the spool, in bounded memory and linear time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from compress_core.views.axes import Axes, Axis, count, offsets
from compress_core.views.gathering import gather_box
from compress_core.views.source import Source
from compress_core.views.spool import Region
from compress_core.views.view import c_strides

Array = np.ndarray[Any, Any]

# bytes of a tensor that are permuted at once
_BLOCK = 8 << 20

Sizes = tuple[int, ...]


def copy_view(source: Source, start: int, axes: Axes, item: int, region: Region) -> None:
    """Write the elements of a view one after the other, in its order.

    The box of its indices is cut into blocks that are long in both orders, that of the source and
    that of the copy: reading by the one and writing by the other would take a call of the system
    for each element of a transposed matrix.

    :param start: byte of the view's first element.
    :param axes: merged; none is empty.
    :param item: bytes of an element: 1, 2, 4 or 8.
    """
    full = tuple(axis.size for axis in axes)
    strides = tuple(axis.stride for axis in axes)
    target = c_strides(full)
    order = sorted(range(len(axes)), key=lambda place: -strides[place])
    sizes = block_sizes(full, order, max(_BLOCK // item, 1))
    for firsts, extent in _grid(full, sizes):
        at, to = _offset(firsts, strides), _offset(firsts, target)
        block = _read(source, start + at * item, tuple(map(Axis, extent, strides)), order, item)
        _write(region, to, tuple(map(Axis, extent, target)), block)


def block_sizes(full: Sizes, order: Sequence[int], most: int) -> Sizes:
    """The sizes of a block of at most ``most`` elements, so that it takes few calls of the system.

    :param order: the axes as they follow each other in the source, the innermost last.
    """
    sizes = full
    while math.prod(sizes) > most:
        cuts = (_halved(sizes, place) for place in range(len(sizes)) if sizes[place] > 1)
        sizes = min(cuts, key=lambda cut: _calls(cut, full, order))
    return sizes


def _halved(sizes: Sizes, place: int) -> Sizes:
    return (*sizes[:place], (sizes[place] + 1) // 2, *sizes[place + 1 :])


def _calls(sizes: Sizes, full: Sizes, order: Sequence[int]) -> float:
    """Runs to read and to write for each element, as if nothing lay between the elements."""
    return 1 / _run(sizes, full, order) + 1 / _run(sizes, full, range(len(full)))


def _run(sizes: Sizes, full: Sizes, order: Sequence[int]) -> int:
    run = 1
    for place in reversed(order):
        run *= sizes[place]
        if sizes[place] != full[place]:
            break
    return run


def _grid(full: Sizes, sizes: Sizes) -> Iterator[tuple[Sizes, Sizes]]:
    """First indices and sizes of each block; the last ones of an axis may be smaller."""
    for firsts in product(*map(range, [0] * len(full), full, sizes)):
        rest = (end - first for end, first in zip(full, firsts, strict=True))
        yield firsts, tuple(map(min, sizes, rest))


def _offset(firsts: Sizes, strides: Sizes) -> int:
    return sum(first * stride for first, stride in zip(firsts, strides, strict=True))


def _read(source: Source, start: int, axes: Axes, order: Sequence[int], item: int) -> Array:
    """Elements of a block, read in the order of the source, returned in that of the copy."""
    there = tuple(axes[place] for place in order)
    block = np.empty(count(there), f"u{item}")
    gather_box(source, start, there, 0, block)
    shaped = block.reshape([axis.size for axis in there])
    return np.ascontiguousarray(shaped.transpose(np.argsort(order))).reshape(-1)


def _write(region: Region, to: int, axes: Axes, block: Array) -> None:
    lead, run = _runs(axes)
    data, item = block.view(np.uint8).data, block.itemsize
    for number, offset in enumerate(offsets(lead)):
        part = data[number * run * item : (number + 1) * run * item]
        region.write(part, (to + offset) * item)


def _runs(axes: Axes) -> tuple[Axes, int]:
    """The axes whose steps are written one by one, and how many elements each of them has."""
    place, run = len(axes), 1
    while place and axes[place - 1].stride == run:
        place -= 1
        run *= axes[place].size
    return axes[:place], run
