"""Kernels that exist twice: a NumPy function is the specification, a function in C its twin.

Both give the same bits for the same arguments. A module ``kernels/native/search.py`` holds the
twins of functions of ``kernels/search.py``, under their names; ``@twin`` calls them where the
library of C functions is there. No NumPy here, so that a program may ask for little.
"""

from __future__ import annotations

from functools import cache, wraps

from compress_core.errors import UsageError
from compress_core.kernels import native

TYPE_CHECKING = False  # `modelopt --version` asks here, and shall not wait for `typing`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, ParamSpec, TypeVar

    Kernels = Literal["native", "numpy"]
    P = ParamSpec("P")
    R = TypeVar("R")

CHOICES: tuple[Kernels, ...] = ("native", "numpy")

SPECIFICATIONS: dict[str, Callable[..., Any]] = {}
"""``module.function`` → the NumPy function, of all that have a twin and are imported."""

_asked: Kernels | None = None


def use(kernels: str | None) -> None:
    """Take these kernels from now on, in all threads; ``None``: native ones where they are there.

    :raises UsageError: there are no such kernels.
    """
    global _asked
    if kernels is not None and kernels not in CHOICES:
        raise UsageError(f"no such kernels: {kernels!r:.40}", hint=f"one of {', '.join(CHOICES)}")
    if kernels == "native" and native.library() is None:
        raise UsageError(
            "this installation has no native kernels: it was built without a C compiler",
            hint="install a C compiler and modelopt again, or leave it out: NumPy does the same",
        )
    _asked = kernels


def in_use() -> Kernels:
    """Which kernels functions with a twin use."""
    if _asked is not None:
        return _asked
    return "numpy" if native.library() is None else "native"


def twin(specification: Callable[P, R]) -> Callable[P, R]:
    """A function that is its twin in C where that is in use, and ``specification`` elsewhere."""
    module, name = specification.__module__.rpartition(".")[2], specification.__name__
    SPECIFICATIONS[f"{module}.{name}"] = specification

    @wraps(specification)
    def either(*args: P.args, **kwargs: P.kwargs) -> R:
        if in_use() == "numpy":
            return specification(*args, **kwargs)
        found: R = twin_of(module, name)(*args, **kwargs)
        return found

    return either


@cache
def twin_of(module: str, name: str) -> Callable[..., Any]:
    """The twin of a function of ``compress_core.kernels``."""
    import importlib

    found: Callable[..., Any] = getattr(
        importlib.import_module(f"compress_core.kernels.native.{module}"), name
    )
    return found
