"""Settings: what a run may use, and what it does about the odd."""

from __future__ import annotations

import dataclasses
import os

import pytest

from compress_core.dtypes import DTYPES
from compress_core.errors import UnsupportedError, UsageError
from compress_core.settings import MOST_JOBS, Progress, Settings
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


def info(rows: int, columns: int) -> TensorInfo:
    return TensorInfo("a.weight", DTYPES["F32"], (rows, columns), 4 * rows * columns)


def test_defaults_refuse_what_is_odd_and_need_less_than_200_megabytes() -> None:
    settings = Settings()
    assert (settings.on_unmatched, settings.on_nonfinite) == ("error", "error")
    assert settings.replace is False
    assert settings.max_memory <= 200 * 1024**2


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (64, MOST_JOBS), (None, 1)])
def test_threads_are_the_cores_there_are_up_to_a_few(
    cores: int | None, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert Settings().threads == threads
    assert Settings(jobs=7).threads == 7


def test_settings_and_progress_cannot_change() -> None:
    for value, field in ((Settings(), "jobs"), (Progress("write", 1, 2), "done")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, 3)


def test_too_little_memory_is_refused_with_the_least_that_works() -> None:
    with pytest.raises(UsageError, match="too little to run in") as caught:
        Tiling(LEAST_MEMORY - 1, 1)
    said = (caught.value.hint or "").partition("'")[2].partition("'")[0]
    assert Tiling(parse_size(said), 1).threads(GRAIN_ELEMENTS) == 1


@pytest.mark.parametrize("jobs", [1, 2, 8])
@pytest.mark.parametrize("memory", [LEAST_MEMORY, LEAST_MEMORY + 10**7, 10**9])
@pytest.mark.parametrize("multiple", [1, 3, 16])
@pytest.mark.parametrize("shape", [(1, 1), (1000, 700), (3, 60_000), (100_000, 2), (0, 5), (5, 0)])
def test_tiles_are_whole_grains_that_cover_a_tensor_once(
    shape: tuple[int, int], multiple: int, memory: int, jobs: int
) -> None:
    one = info(*shape)
    grain = grain_rows(one, multiple)
    assert grain % multiple == 0
    assert grain * shape[1] >= GRAIN_ELEMENTS or not shape[1]
    tiling = Tiling(memory, jobs)
    elements = min(grain, shape[0]) * shape[1]
    if elements * PER_ELEMENT > memory - INTERPRETER:
        with pytest.raises(UnsupportedError):
            list(tiling.cut(one, grain))
        return
    tiles = list(tiling.cut(one, grain))
    rows = [row for start, stop in tiles for row in range(start, stop)]
    assert rows == list(range(shape[0]))
    assert all(start % grain == 0 for start, _ in tiles)
    threads = tiling.threads(elements)
    assert 1 <= threads <= jobs
    largest = max(((stop - start) * shape[1] for start, stop in tiles), default=0)
    assert largest <= max(TILE_ELEMENTS, elements)
    assert largest * threads * PER_ELEMENT + INTERPRETER <= memory
    assert tiling.peak(elements) <= max(memory, INTERPRETER + elements * PER_ELEMENT)


def test_a_row_that_does_not_fit_is_refused_by_name_with_a_limit_that_does() -> None:
    one = info(2, 3_000_000)
    with pytest.raises(UnsupportedError, match="its rows of 3000000 elements do not fit") as caught:
        list(Tiling(LEAST_MEMORY, 1).cut(one, 1))
    assert caught.value.where == "a.weight"
    said = (caught.value.hint or "").partition("'")[2].partition("'")[0]
    assert list(Tiling(parse_size(said), 1).cut(one, 1)) == [(0, 1), (1, 2)]
