"""Arithmetic on axes, compared with the elements one by one."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.views.axes import (
    Axes,
    Axis,
    boxes,
    count,
    halves,
    is_run,
    merged,
    offsets,
    reach,
    widest_gap,
)
from compress_core.views.view import View

AXES = st.lists(st.builds(Axis, st.integers(1, 4), st.integers(0, 20)), max_size=4).map(tuple)


def _all(axes: Axes) -> list[int]:
    steps = [range(axis.size) for axis in axes]
    strides = [axis.stride for axis in axes]
    return [
        sum(i * stride for i, stride in zip(index, strides, strict=True))
        for index in product(*steps)
    ]


@given(AXES)
def test_merged_axes_visit_the_same(axes: Axes) -> None:
    found = merged(View(tuple(a.size for a in axes), tuple(a.stride for a in axes), 0))
    assert list(offsets(found)) == _all(axes)
    assert len(found) <= len(axes)
    assert all(axis.size > 1 for axis in found)


@pytest.mark.parametrize(
    ("shape", "strides", "axes"),
    [
        ((), (), ()),
        ((1, 1), (7, 9), ()),
        ((2, 3, 4), (12, 4, 1), ((24, 1),)),
        ((2, 1, 4), (4, 99, 1), ((8, 1),)),
        ((2, 3, 4), (20, 4, 1), ((2, 20), (12, 1))),
        ((5, 6), (0, 0), ((30, 0),)),
        ((3, 0), (1, 1), ((0, 1),)),
    ],
)
def test_merged(shape: tuple[int, ...], strides: tuple[int, ...], axes: Axes) -> None:
    assert merged(View(shape, strides, 0)) == axes


@given(AXES)
def test_what_is_said_about_axes(axes: Axes) -> None:
    there = _all(axes)
    assert list(offsets(axes)) == there
    assert count(axes) == len(there)
    assert reach(axes) == max(there) + 1
    assert is_run(axes) == (there == list(range(len(there))))
    gaps = [after - before - 1 for before, after in pairwise(sorted(there))]
    assert widest_gap(axes) >= max(gaps, default=0)


def test_widest_gap() -> None:
    assert widest_gap((Axis(4, 10), Axis(3, 1))) == 7
    assert widest_gap((Axis(3, 1), Axis(4, 10))) == 7
    assert widest_gap((Axis(3, 1), Axis(5, 3))) == 0
    assert widest_gap((Axis(3, 0), Axis(1, 50))) == 0


@given(AXES, st.data())
def test_boxes_hold_a_range_in_order(axes: Axes, data: st.DataObject) -> None:
    there = _all(axes)
    first = data.draw(st.integers(0, len(there)))
    last = data.draw(st.integers(first, len(there)))
    found = list(boxes(axes, first, last))
    held = [offset + more for offset, part in found for more in offsets(part)]
    assert held == there[first:last]
    assert len(found) <= max(2 * len(axes), 1)


@given(AXES.filter(lambda axes: count(axes) > 1))
def test_halves_are_the_whole(axes: Axes) -> None:
    held = [offset + more for offset, half in halves(axes) for more in offsets(half)]
    assert held == _all(axes)
