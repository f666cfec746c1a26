"""What is read where it stands, and what is not."""

from __future__ import annotations

import pytest

from compress_core.views.access import whole_axes
from compress_core.views.axes import merged
from compress_core.views.view import View


def _whole(shape: tuple[int, ...], strides: tuple[int, ...], columns: int) -> int | None:
    return whole_axes(merged(View(shape, strides, 0)), columns, 4)


@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((), ()),
        ((0, 5), (1, 7)),
        ((100, 200), (200, 1)),
        ((100, 200), (600, 1)),  # a third of the columns
        ((100, 200), (400, 2)),  # each other element
        ((100, 2048), (10**6, 1)),  # rows that are far from each other, and long
        ((100, 200), (0, 1)),
        ((100, 200), (1, 0)),
        ((100, 200), (0, 0)),
        ((100, 200), (1, 1)),
        ((2, 100, 2000), (2000, 4000, 1)),  # even and odd rows
    ],
)
def test_any_range_can_be_read(shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    assert _whole(shape, strides, shape[-1] if shape else 1) == 0


@pytest.mark.parametrize(
    ("shape", "strides", "whole"),
    [
        ((64, 32, 3, 3), (288, 1, 96, 32), 2),  # channels last
        ((64, 32, 3, 3), (999, 1, 96, 32), 2),  # … in wider rows
        ((1, 32, 3, 3), (288, 1, 96, 32), 2),
        ((64, 3, 32), (96, 1, 3), 0),  # strides of 3 are close enough
    ],
)
def test_rows_permuted_in_themselves(
    shape: tuple[int, ...], strides: tuple[int, ...], whole: int
) -> None:
    assert _whole(shape, strides, shape[1] * shape[2] * (*shape, 1)[3]) == whole


@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((100, 200), (1, 100)),
        ((8, 8), (1, 8)),
        ((100, 3), (1000, 1)),  # a few columns of wide rows
        ((32, 64, 3, 3), (1, 32, 6144, 2048)),
        ((4, 2048, 512), (2048 * 512, 1, 2048)),  # each of them too large to be read as a whole
    ],
)
def test_scattered_rows(shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    columns = 1
    for size in shape[1:]:
        columns *= size
    assert _whole(shape, strides, columns) is None
