"""Arrays on which kernels are compared, and how."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.kernels import twins

FINITE = (
    *(0.0, -0.0, 1e-45, -1e-38, 2.0**-24, 2.0**-14, 2.0**-9, 0.5, -0.5, 1.5, 2.5, 7.0, -8.0),
    *(448.0, 464.0, 57344.0, 65504.0, 65520.0, 1e20, -3.4e38),
)
"""float32 numbers at the edges of formats, and ties."""

ALL = (*FINITE, float("inf"), float("-inf"), float("nan"))


def sides(most: int = 40) -> st.SearchStrategy[tuple[int, int]]:
    """Shapes of matrices, empty ones too."""
    return st.tuples(st.integers(0, most), st.integers(0, most))


def matrices(
    elements: tuple[float, ...] = FINITE, shapes: Any = None
) -> st.SearchStrategy[NDArray[np.float32]]:
    """float32 matrices of such numbers and of common ones."""
    some = st.sampled_from(elements) | st.floats(-2, 2, width=32)
    return arrays.arrays(np.float32, sides() if shapes is None else shapes, elements=some)


def raw(code: str, shape: Any) -> st.SearchStrategy[NDArray[Any]]:
    """Elements of a storage dtype: any pattern of bits."""
    storage = np.dtype(DTYPES[code].storage)
    patterns = arrays.arrays(f"<u{storage.itemsize}", shape)
    return patterns.map(lambda array: array.view(storage))


def every_pattern() -> NDArray[np.uint16]:
    """All numbers of 16 bits."""
    return np.arange(1 << 16, dtype=np.uint16)


def both(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The specification ``module.function``, and its twin in C."""
    module, function = name.split(".")
    importlib.import_module(f"compress_core.kernels.{module}")
    return twins.SPECIFICATIONS[name], twins.twin_of(module, function)


def check(name: str, *args: Any, **kwargs: Any) -> None:
    """Compare what both give for these arguments, which neither may change."""
    before = [one.copy() for one in args if isinstance(one, np.ndarray)]
    specification, twin = both(name)
    with np.errstate(all="ignore"):
        wanted = specification(*args, **kwargs)
    found = twin(*args, **kwargs)
    assert same(found, wanted), (name, found, wanted)
    after = [one for one in args if isinstance(one, np.ndarray)]
    assert all(one.tobytes() == other.tobytes() for one, other in zip(before, after, strict=True))


def same(found: Any, wanted: Any) -> bool:
    """Whether two results have the same bits; which NaN it is does not count in arithmetic."""
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(same, found, wanted))
    if isinstance(wanted, tuple):
        return type(found) is type(wanted) and all(map(same, found, wanted))
    one, other = np.asarray(found), np.asarray(wanted)
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    if one.dtype.kind == "f":
        missing = np.isnan(other)
        if not np.array_equal(np.isnan(one), missing):
            return False
        one, other = np.where(missing, 0, one), np.where(missing, 0, other)
    return one.tobytes() == other.tobytes()
