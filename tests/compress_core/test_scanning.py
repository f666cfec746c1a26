"""Tensors in spans: all elements once, in order, in whole grains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core import Settings, open_logical
from compress_core.dtypes import DTYPES
from compress_core.scanning import Span, Subject, elements, scan
from compress_core.tensors import TensorInfo
from compress_core.tiling import GRAIN_ELEMENTS, LEAST_MEMORY, grain_rows

Put = Callable[..., Path]


def subject(code: str, *shape: int, by_rows: bool = False) -> Subject:
    dtype = DTYPES[code]
    count = int(np.prod(shape, dtype=np.int64))
    return Subject(TensorInfo("w", dtype, shape, count * dtype.bits // 8), by_rows)


def test_grains_are_those_of_a_run_of_passes_unless_a_row_is_longer() -> None:
    usual = subject("F32", 900, 700)
    assert usual.grain == grain_rows(usual.info, 1) * 700
    assert subject("F32", 3, 100_000).grain == GRAIN_ELEMENTS
    assert subject("F32", 3, 100_000, by_rows=True).grain == 100_000
    assert subject("F32").grain == GRAIN_ELEMENTS
    assert subject("F32", 4, 0, by_rows=True).grain > 0


@pytest.mark.parametrize("code", ["F4", "F6_E2M3"])
def test_grains_of_narrow_elements_are_whole_bytes(code: str) -> None:
    for columns in (3, 20, 64, 100_000):
        one = subject(code, 7, columns)
        assert one.grain * one.info.dtype.bits % 8 == 0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 900)), max_size=4),
    st.integers(LEAST_MEMORY, LEAST_MEMORY * 8),
    st.integers(1, 4),
)
def test_every_element_is_in_one_span(shapes: list[tuple[int, int]], limit: int, jobs: int) -> None:
    subjects = [subject("BF16", *shape) for shape in shapes]
    seen: list[tuple[int, Span[Subject]]] = []
    scanned = scan("s", subjects, lambda span: span, Settings(jobs=jobs, max_memory=limit))
    for found, span in scanned:
        assert found is span.subject
        assert span.start % found.grain == 0
        sizes = [len(range(span.stop)[span.start :][grain]) for grain in span.grains()]
        assert sum(sizes) == span.stop - span.start
        seen.append((next(i for i, one in enumerate(subjects) if one is found), span))
    assert [index for index, _ in seen] == sorted(index for index, _ in seen)
    for index, one in enumerate(subjects):
        spans = [span for at, span in seen if at == index]
        covered = [place for span in spans for place in (span.start, span.stop)]
        assert covered[:1] == ([0] if one.info.elements else [])
        assert covered[1:-1:2] == covered[2::2]
        assert covered[-1:] == ([one.info.elements] if one.info.elements else [])


def test_the_rest_of_a_tensor_can_be_left_out() -> None:
    subjects = [subject("F32", 4000, 700), subject("F32", 10, 10)]
    done: list[Subject] = []
    for found, _ in scan(
        "s", subjects, lambda span: span.start, Settings(jobs=1), enough=lambda one: one in done
    ):
        done.append(found)
    assert done == subjects


def test_elements_of_any_dtype(put: Put) -> None:
    tensors: dict[str, tuple[str, Any]] = {
        "f": ("F32", np.arange(6, dtype=np.float32)),
        "b": ("BF16", np.arange(6, dtype=np.uint16)),
        "n": ("F4", np.array([0x21, 0x43, 0x65], np.uint8)),
    }
    shapes = dict.fromkeys(tensors, (2, 3))
    with open_logical(put("a.safetensors", tensors, shapes=shapes)) as reader:
        assert elements(reader, "f", 2, 5).tolist() == [2, 3, 4]
        assert elements(reader, "b", 0, 6).dtype == np.uint16
        assert elements(reader, "n", 2, 6).tolist() == [3, 4, 5, 6]
