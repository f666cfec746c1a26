"""The kernels in C, as a shared library that ctypes calls: it knows no Python.

Each ``.py`` here has the twins of functions of the NumPy module of the same name, and calls the
functions of the ``.c`` beside it. Calls do not hold the interpreter's lock. No NumPy here.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

INTERFACE = 11
"""Raised with every new or changed function in C, so that no older library is called."""

_NAMES = ("libmodelopt_kernels.so", "libmodelopt_kernels.dylib", "modelopt_kernels.dll")


@cache
def library() -> ctypes.CDLL | None:
    """The library, ``None`` where none was built, or one for another system or version."""
    # where packages are installed for editing, what was built lies beside another of their folders
    candidates = (os.path.join(folder, name) for folder in __path__ for name in _NAMES)
    for file in candidates:
        if os.path.isfile(file):
            return _loaded(file)
    return None


def _loaded(file: str) -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(file)
        return found if found.modelopt_interface() == INTERFACE else None
    except (OSError, AttributeError):
        return None
