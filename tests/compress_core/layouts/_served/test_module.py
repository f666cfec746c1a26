"""Rows, columns and spans of the stored parts of a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compress_core.container import PartSpec, Reader
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module

MATRIX = np.arange(35, dtype="<i4").reshape(5, 7)


@pytest.fixture(scope="session")
def module(memory: Callable[..., Reader]) -> Module:
    parts: dict[str, tuple[str, NDArray[Any]]] = {
        "a.fc.words": ("I32", MATRIX),
        "a.fc.scales": ("F32", np.array([1, np.inf], np.float32)),
        "a.fc.flat": ("U8", np.arange(6, dtype=np.uint8)),
    }
    reader = memory(parts, {})
    return Module(
        "a.fc", reader, {name.removeprefix("a.fc."): reader.infos[name] for name in parts}
    )


@given(ends=st.tuples(st.integers(0, 7), st.integers(0, 7)).map(sorted))
def test_columns_are_those_of_the_matrix(ends: list[int], module: Module) -> None:
    np.testing.assert_array_equal(module.columns("words", *ends), MATRIX[:, slice(*ends)])


def test_a_span_is_of_numbers_as_they_stand(module: Module) -> None:
    np.testing.assert_array_equal(module.span("words", 5, 9, "<i4"), [5, 6, 7, 8])
    np.testing.assert_array_equal(module.span("flat", 1, 3, "<u2"), [0x0302, 0x0504])


def test_only_a_matrix_has_columns(module: Module) -> None:
    with pytest.raises(FormatError, match=r"a\.fc\.flat has the shape \[6\]"):
        module.columns("flat", 0, 1)


def test_numbers_are_finite(module: Module) -> None:
    with pytest.raises(FormatError, match="its scales holds NaN or infinity"):
        module.floats("scales", 0, 1)


def test_a_part_that_is_missing_or_another_is_named(module: Module) -> None:
    module.check({"words": PartSpec("I32", (5, 7), "rows")})
    with pytest.raises(FormatError, match=r"part a\.fc\.other is missing"):
        module.check({"other": PartSpec("I32", (5, 7), "rows")})
    with pytest.raises(FormatError, match=r"and should be I32 \[7, 5\]"):
        module.check({"words": PartSpec("I32", (7, 5), "rows")})
