"""How the elements of a tensor lie in some bytes."""

from __future__ import annotations

import pytest

from compress_core.views.view import View, c_strides


def test_c_order() -> None:
    view = View.contiguous((2, 3, 4), 10, swapped=True)
    assert view == View((2, 3, 4), (12, 4, 1), 10, swapped=True)
    assert c_strides(()) == ()
    assert c_strides((3, 0, 5)) == (5, 5, 1)


@pytest.mark.parametrize(
    ("shape", "strides", "reach"),
    [
        ((), (), 1),
        ((2, 3), (3, 1), 6),
        ((2, 3), (1, 2), 6),
        ((2, 3), (0, 0), 1),
        ((2, 3), (1, 1), 4),
        ((2, 3), (10, 1), 13),
        ((2, 0), (10, 1), 0),
    ],
)
def test_reach(shape: tuple[int, ...], strides: tuple[int, ...], reach: int) -> None:
    assert View(shape, strides, 5).reach == reach
