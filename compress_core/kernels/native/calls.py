"""How arrays and numbers go to functions in C."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels import native

ARRAY = ctypes.c_void_p
COUNT = ctypes.c_ssize_t
INT = ctypes.c_int
FLOAT = ctypes.c_float

DTYPES = {"F32": 0, "F16": 1, "BF16": 2}
"""Dtypes of scales in ``common.h``."""


def function(name: str, *arguments: Any) -> Callable[..., int]:
    """A function of the library that gives 0, or 1 where there is no memory.

    :param arguments: the types of its arguments.
    """
    library = native.library()
    if library is None:
        raise RuntimeError("there are no native kernels")
    found = getattr(library, name)
    found.argtypes, found.restype = arguments, ctypes.c_int

    def call(*given: Any) -> int:
        if found(*given):
            raise MemoryError(name)
        return 0

    return call


def address(array: NDArray[Any]) -> int:
    """Where the elements of a contiguous array are; the caller keeps it alive."""
    return array.ctypes.data


def floats(array: NDArray[Any]) -> NDArray[np.float32]:
    """As contiguous float32, without a copy where it is."""
    return np.ascontiguousarray(array, dtype=np.float32)
