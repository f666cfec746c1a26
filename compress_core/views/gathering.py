"""Read elements of a view into memory, in its order."""

from __future__ import annotations

from typing import Any

import numpy as np

from compress_core.views.axes import (
    Axes,
    boxes,
    count,
    halves,
    is_run,
    offsets,
    reach,
    widest_gap,
)
from compress_core.views.source import Source

Array = np.ndarray[Any, Any]

# a shorter gap is read along: that takes less time than another call of the system
_GAP = 8 << 10
# bytes of the source, gaps included, that are held at once
_SPAN = 8 << 20


def gather(source: Source, start: int, axes: Axes, whole: int, first: int, out: Array) -> None:
    """Fill ``out`` with the elements of a view from ``first`` on.

    :param start: byte of the view's first element.
    :param axes: merged.
    :param whole: how many of the last axes are read as a whole, see :func:`whole_axes`.
    :param out: one dimension, contiguous; elements are copied bit by bit, whatever their order.
    """
    if not out.size:
        return
    lead, body = _split(axes, whole)
    each = count(body)
    low, high = first // each, -(-(first + out.size) // each)
    into = out
    if (low * each, high * each) != (first, first + out.size):
        into = np.empty((high - low) * each, out.dtype)
    done = 0
    for offset, part in boxes(lead, low, high):
        box = part + body
        end = done + count(box)
        gather_box(source, start + offset * out.itemsize, box, whole, into[done:end])
        done = end
    if into is not out:
        out[:] = into[first - low * each :][: out.size]


def gather_box(source: Source, start: int, axes: Axes, whole: int, out: Array) -> None:
    """Fill ``out`` with all the elements that ``axes`` visit from byte ``start`` on."""
    lead, body = _parted(axes, whole, out.itemsize)
    each = count(body)
    for number, offset in enumerate(offsets(lead)):
        part = out[number * each : (number + 1) * each]
        _read(source, start + offset * out.itemsize, body, whole, part)


def _split(axes: Axes, whole: int) -> tuple[Axes, Axes]:
    return axes[: len(axes) - whole], axes[len(axes) - whole :]


def _parted(axes: Axes, whole: int, item: int) -> tuple[Axes, Axes]:
    """Axes whose steps are read one by one, and those that are read in one go."""
    for place in range(len(axes) - whole):
        body = axes[place:]
        if widest_gap(body) * item <= _GAP:
            return axes[:place], body
    return _split(axes, whole)


def _read(source: Source, start: int, axes: Axes, whole: int, out: Array) -> None:
    if is_run(axes):
        source.read_into(out.view(np.uint8).data, start)
    elif len(axes) > whole and reach(axes) * out.itemsize > _SPAN:
        done = 0
        for offset, half in halves(axes):
            end = done + count(half)
            gather_box(source, start + offset * out.itemsize, half, whole, out[done:end])
            done = end
    else:
        _pick(source, start, axes, out)


def _pick(source: Source, start: int, axes: Axes, out: Array) -> None:
    """Read everything from the first to the last element, and take those that are meant."""
    span = np.empty(reach(axes), out.dtype)
    source.read_into(span.view(np.uint8).data, start)
    sizes = [axis.size for axis in axes]
    strides = [axis.stride * out.itemsize for axis in axes]
    picked: Array = np.ndarray(sizes, out.dtype, buffer=span, strides=strides)
    np.copyto(out.reshape(sizes), picked)
