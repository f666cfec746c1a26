"""Tensors cut into tiles of whole grains, within a limit of memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.dtypes import DTYPES
from compress_core.errors import UnsupportedError, UsageError
from compress_core.sizes import parse_size
from compress_core.tensors import TensorInfo
from compress_core.tiling import (
    GRAIN_ELEMENTS,
    INTERPRETER,
    LEAST_MEMORY,
    PER_ELEMENT,
    TILE_ELEMENTS,
    Tiling,
    grain_rows,
)

MIB = 1024**2


def info(rows: int, columns: int) -> TensorInfo:
    """A tensor of no bytes."""
    return TensorInfo("w", DTYPES["F32"], (rows, columns), 0)


shapes = st.tuples(st.integers(0, 5000), st.integers(0, 10**6) | st.integers(0, 50))
memory = st.integers(LEAST_MEMORY, 2 * 1024 * MIB)


@settings(deadline=None)
@given(shapes, st.integers(1, 1000))
def test_a_grain_is_at_least_64_ki_elements_and_no_larger_than_it_must_be(
    shape: tuple[int, int], multiple: int
) -> None:
    rows = grain_rows(info(*shape), multiple)
    columns = max(shape[1], 1)
    assert rows % multiple == 0
    assert rows * columns >= GRAIN_ELEMENTS
    assert (rows - multiple) * columns < GRAIN_ELEMENTS


def test_a_grain_depends_on_the_columns_alone() -> None:
    assert {grain_rows(info(rows, 100), 1) for rows in (0, 1, 10**9)} == {656}
    assert grain_rows(info(5, 10**9), 1) == 1
    assert grain_rows(info(5, 10**9), 16) == 16


@settings(deadline=None)
@given(shapes, st.integers(1, 64), memory, st.integers(1, 16))
def test_tiles_cover_all_rows_in_order_in_whole_grains(
    shape: tuple[int, int], multiple: int, limit: int, jobs: int
) -> None:
    tensor = info(*shape)
    grain = grain_rows(tensor, multiple)
    tiling = Tiling(limit, jobs)
    try:
        tiles = list(tiling.cut(tensor, grain))
    except UnsupportedError:
        return
    at = 0
    for start, stop in tiles:
        assert start == at < stop
        assert start % grain == 0
        assert stop % grain == 0 or stop == shape[0]
        at = stop
    assert at == shape[0]


@settings(deadline=None)
@given(st.lists(shapes, min_size=1, max_size=5), st.integers(1, 64), memory, st.integers(1, 16))
def test_tiles_in_work_at_once_fit_the_limit(
    many: list[tuple[int, int]], multiple: int, limit: int, jobs: int
) -> None:
    tiling = Tiling(limit, jobs)
    tensors = [info(*shape) for shape in many]
    grains = [grain_rows(tensor, multiple) for tensor in tensors]
    largest = max(
        min(grain, one.shape[0]) * one.shape[1] for one, grain in zip(tensors, grains, strict=True)
    )
    threads = tiling.threads(largest)
    assert 1 <= threads <= jobs
    for tensor, grain in zip(tensors, grains, strict=True):
        try:
            tiles = list(tiling.cut(tensor, grain))
        except UnsupportedError:
            return
        for start, stop in tiles:
            elements = (stop - start) * tensor.shape[1]
            assert INTERPRETER + threads * elements * PER_ELEMENT <= limit
            assert INTERPRETER + threads * elements * PER_ELEMENT <= tiling.peak(largest)
    assert tiling.peak(largest) <= limit


def test_with_room_tiles_have_the_usual_size() -> None:
    tensor = info(10_000, 1024)
    tiles = list(Tiling(1024 * MIB, 2).cut(tensor, grain_rows(tensor, 1)))
    assert tiles[0] == (0, TILE_ELEMENTS // 1024)


def test_less_memory_means_fewer_threads_and_smaller_tiles() -> None:
    assert Tiling(1024 * MIB, 8).threads(GRAIN_ELEMENTS) == 8
    assert Tiling(LEAST_MEMORY, 8).threads(GRAIN_ELEMENTS) == 2
    assert Tiling(LEAST_MEMORY, 8).threads(GRAIN_ELEMENTS + 1) == 1
    tensor = info(10_000, 1024)
    assert next(Tiling(LEAST_MEMORY, 8).cut(tensor, 64)) == (0, 64)


def test_too_little_memory_to_run_in_is_said_with_what_is_enough() -> None:
    with pytest.raises(UsageError, match="too little") as error:
        Tiling(LEAST_MEMORY - 1, 1)
    assert error.value.hint is not None
    named = error.value.hint.split("'")[1]
    assert parse_size(named) == LEAST_MEMORY
    Tiling(parse_size(named), 1)


def test_a_row_that_does_not_fit_is_said_with_what_is_enough() -> None:
    tensor = info(3, 10_000_001)
    with pytest.raises(UnsupportedError, match="10000001 elements") as error:
        list(Tiling(200 * MIB, 1).cut(tensor, 1))
    assert error.value.where == "w"
    assert error.value.hint is not None
    enough = parse_size(error.value.hint.split("'")[1])
    assert list(Tiling(enough, 1).cut(tensor, 1)) == [(0, 1), (1, 2), (2, 3)]
    with pytest.raises(UnsupportedError):
        list(Tiling(enough - MIB, 1).cut(tensor, 1))


def test_a_grain_larger_than_the_tensor_counts_as_the_tensor() -> None:
    tensor = info(3, 1000)
    assert list(Tiling(LEAST_MEMORY, 1).cut(tensor, 10**9)) == [(0, 3)]


def test_no_rows_are_no_tiles() -> None:
    assert list(Tiling(LEAST_MEMORY, 1).cut(info(0, 5), 8)) == []


@settings(deadline=None)
@given(shapes, st.integers(1, 100_000), memory, st.integers(1, 16))
def test_spans_cover_all_elements_in_order_in_whole_grains(
    shape: tuple[int, int], grain: int, limit: int, jobs: int
) -> None:
    tensor = info(shape[0] % 50, shape[1])
    at = 0
    for start, stop in Tiling(limit, jobs).spans(tensor, grain):
        assert start == at < stop
        assert stop % grain == 0 or stop == tensor.elements
        assert (stop - start) * PER_ELEMENT <= limit - INTERPRETER
        at = stop
    assert at == tensor.elements
