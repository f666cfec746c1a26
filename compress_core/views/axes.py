"""Arithmetic on the axes of a view, in elements; no data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from compress_core.views.view import View


class Axis(NamedTuple):
    """``size`` steps, each ``stride`` elements of the source further."""

    size: int
    stride: int


Axes = tuple[Axis, ...]


def merged(view: View) -> Axes:
    """The fewest axes that visit the same elements in the same order."""
    if 0 in view.shape:
        return (Axis(0, 1),)
    axes: list[Axis] = []
    for size, stride in zip(view.shape, view.strides, strict=True):
        if size == 1:
            continue
        if axes and axes[-1].stride == size * stride:
            axes[-1] = Axis(axes[-1].size * size, stride)
        else:
            axes.append(Axis(size, stride))
    return tuple(axes)


def count(axes: Axes) -> int:
    """Elements visited, repeated ones as often as they are."""
    return math.prod(axis.size for axis in axes)


def reach(axes: Axes) -> int:
    """Elements from the first to the last in the source, both included; no axis is empty."""
    return 1 + sum((size - 1) * stride for size, stride in axes)


def is_run(axes: Axes) -> bool:
    """Whether the elements stand in the source one after the other, in order."""
    step = 1
    for size, stride in reversed(axes):
        if stride != step and size != 1:
            return False
        step *= size
    return True


def widest_gap(axes: Axes) -> int:
    """The longest stretch, at most, of elements that are stepped over."""
    gap, below = 0, 1
    for size, stride in sorted(axes, key=lambda axis: axis.stride):
        if size > 1:
            gap = max(gap, stride - below)
            below += (size - 1) * stride
    return gap


def offsets(axes: Axes, first: int = 0) -> Iterator[int]:
    """Where each element stands in the source, in the order of the axes."""
    if not axes:
        yield first
        return
    (size, stride), inner = axes[0], axes[1:]
    for index in range(size):
        yield from offsets(inner, first + index * stride)


def boxes(axes: Axes, first: int, last: int, offset: int = 0) -> Iterator[tuple[int, Axes]]:
    """Elements ``first:last`` in order, as the fewest (offset, axes).

    They are a part of the first axis with all of the others, and a ragged beginning and end.
    """
    if first == last:
        return
    if not axes:
        yield offset, ()
        return
    (_, stride), inner = axes[0], axes[1:]
    each = count(inner)
    low, high = -(-first // each), last // each
    if low > high:  # inside one step
        low = high
        yield from boxes(inner, first - low * each, last - low * each, offset + low * stride)
        return
    if first < low * each:
        before = low - 1
        yield from boxes(inner, first - before * each, each, offset + before * stride)
    if low < high:
        yield offset + low * stride, (Axis(high - low, stride), *inner)
    yield from boxes(inner, 0, last - high * each, offset + high * stride)


def halves(axes: Axes) -> Iterator[tuple[int, Axes]]:
    """The two halves along the first axis that has more than one step, as (offset, axes)."""
    (size, stride), inner = axes[0], axes[1:]
    if size == 1:
        yield from halves(inner)
        return
    half = size // 2
    yield 0, (Axis(half, stride), *inner)
    yield half * stride, (Axis(size - half, stride), *inner)
