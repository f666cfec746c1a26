"""Statistics of several tensors as if they were one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.kernels.distribution import BINS, histogram
from compress_core.statistics import TensorStatistics, pooled


def of(values: list[float], fits: tuple[str, ...] = ()) -> TensorStatistics:
    array = np.array(values, np.float64)
    low, high = float(array.min()), float(array.max())
    return TensorStatistics(
        finite=array.size,
        low=low,
        high=high,
        mean=float(array.mean()),
        std=float(array.std()),
        zeros=int(np.count_nonzero(array == 0)),
        nan=0,
        infinite=0,
        histogram=histogram(array, "F64", low, high) if low < high else None,
        fits=fits,
        saves=4 if fits else 0,
    )


lists = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=20)


@given(st.lists(lists, min_size=1, max_size=5))
def test_moments_of_parts_are_those_of_the_whole(parts: list[list[float]]) -> None:
    found = pooled([of(part) for part in parts])
    whole = of([value for part in parts for value in part])
    scale = max(abs(whole.low or 0), abs(whole.high or 0), 1e-300)
    assert (found.finite, found.low, found.high) == (whole.finite, whole.low, whole.high)
    assert found.zeros == whole.zeros
    assert found.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-12 * scale)
    assert found.std == pytest.approx(whole.std, rel=1e-9, abs=1e-7 * scale)


@given(st.lists(lists, min_size=2, max_size=5))
def test_a_pooled_histogram_shows_where_elements_are(parts: list[list[float]]) -> None:
    found = pooled([of(part) for part in parts])
    if found.histogram is None:
        assert all(len(set(part)) == 1 for part in parts) or found.low == found.high
        return
    count = sum(map(len, parts))
    assert len(found.histogram) == BINS
    assert count <= sum(found.histogram) + 1e-6
    assert sum(found.histogram) <= count + BINS  # a bin is rounded up by less than one element
    assert found.histogram[0] > 0
    assert found.histogram[-1] > 0


def test_tensors_of_one_range_have_the_sum_of_their_histograms() -> None:
    one, other = of([0, 1, 1, 16]), of([0, 8, 8, 16])
    assert one.histogram is not None
    assert other.histogram is not None
    assert pooled([one, other]).histogram == tuple(
        map(sum, zip(one.histogram, other.histogram, strict=True))
    )


def test_nothing_and_one_stay_what_they_are() -> None:
    assert pooled([]) == TensorStatistics()
    assert pooled([of([1, 2, 3])]) == of([1, 2, 3])


def test_what_all_fit_and_what_it_saves() -> None:
    found = pooled([of([1], ("BF16", "F16")), of([1], ("F16",))])
    assert (found.fits, found.saves) == (("F16",), 8)
    assert pooled([of([1], ("F16",)), of([1])]).fits == ()


def test_what_some_do_not_have_is_not_made_up() -> None:
    huge = TensorStatistics(finite=2, low=-1e308, high=1.7e308, zeros=0, nan=0, infinite=0)
    found = pooled([of([1, 2]), huge])
    assert (found.mean, found.std, found.histogram) == (None, None, None)
    integers = TensorStatistics(finite=2, low=0, high=3, zeros=1)
    assert pooled([integers, integers]).nan is None
