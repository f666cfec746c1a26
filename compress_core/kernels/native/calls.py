"""How arrays and numbers go to functions in C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels import native

ARRAY = ctypes.c_void_p
COUNT = ctypes.c_ssize_t
INT = ctypes.c_int
FLOAT = ctypes.c_float
KEY = ctypes.c_uint64

DTYPES = {"F32": 0, "F16": 1, "BF16": 2, "F8_E4M3": 3, "F8_E5M2": 4}
"""Dtypes in ``common.h``."""


def function(name: str, *arguments: Any) -> Callable[..., None]:
    """A function of the library that gives 0, or 1 where there is no memory.

    It is looked for when it is first called.

    :param arguments: the types of its arguments.
    """

    @cache
    def found() -> Any:
        library = native.library()
        if library is None:
            raise RuntimeError("there are no native kernels")
        one = getattr(library, name)
        one.argtypes, one.restype = arguments, ctypes.c_int
        return one

    def call(*given: Any) -> None:
        if found()(*given):
            raise MemoryError(name)

    return call


def address(array: NDArray[Any] | None) -> int | None:
    """Where the elements of a contiguous array are, which the caller keeps alive; of none, NULL."""
    return None if array is None else array.ctypes.data


def floats(array: NDArray[Any]) -> NDArray[np.float32]:
    """As contiguous float32, without a copy where it is."""
    return np.ascontiguousarray(array, dtype=np.float32)


def of_groups(parameter: Any, rows: int, groups: int) -> NDArray[np.float32]:
    """A parameter that broadcasts to (rows, groups), as contiguous float32 of this shape."""
    if np.shape(parameter) == (rows, groups):
        return floats(parameter)
    found = np.empty((rows, groups), np.float32)  # np.broadcast_to takes longer than a short kernel
    found[...] = parameter
    return found
