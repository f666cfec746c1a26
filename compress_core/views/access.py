"""Whether a view can be read by rows where it stands; decided from the view alone."""

from __future__ import annotations

from compress_core.views.axes import Axes, count, reach

# bytes read for each byte that was asked for, at most
_WASTE = 4
# shorter runs far from each other are not worth a call of the system each
_WORTH = 4 << 10
# bytes, at most, that are read for the sake of one element
_WHOLE = 1 << 20


def whole_axes(axes: Axes, columns: int, item: int) -> int | None:
    """How many of the last axes must be read as a whole, so that nothing is read in vain.

    ``0`` for a view whose elements can be read from any one to any other; the axes of a row, or
    some of them, for rows that are permuted in themselves, such as those of a convolution with
    channels last. What is read as a whole lies in one row.

    :param axes: merged.
    :param columns: elements in a row of the matrix view.
    :param item: bytes of an element.
    :returns: ``None``: rows are scattered over the source, as those of a transposed matrix, and
        reading them one at a time would read most of it again and again.
    """
    whole = 0
    for place in reversed(range(len(axes))):
        if len(axes) - place <= whole or _is_near(axes, place, item):
            continue
        found = _lifted(axes, place, min(columns, _WHOLE // item))
        if found is None:
            return None
        whole = found
    return whole


def _is_near(axes: Axes, place: int, item: int) -> bool:
    """Whether the steps of an axis lie close to each other, or each is long enough by itself."""
    inner = count(axes[place + 1 :])
    return axes[place].stride <= _WASTE * inner or inner * item >= _WORTH


def _lifted(axes: Axes, place: int, most: int) -> int | None:
    """How many of the last axes, ``place`` included, fill the stretch they lie in."""
    for first in reversed(range(place + 1)):
        box = axes[first:]
        elements = count(box)
        if elements > most:
            return None
        if reach(box) <= _WASTE * elements:
            return len(box)
    return None
