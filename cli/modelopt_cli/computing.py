"""What a process does before it computes: which kernels it takes, and what it does with memory."""

from __future__ import annotations

import os
import sys

from modelopt_cli.allocator import keep_freed_memory

VARIABLE = "MODELOPT_CLI_KERNELS"

_BLAS = (
    *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"),
    "VECLIB_MAXIMUM_THREADS",
)


def begin_computing(*, products: bool = True) -> None:
    """Prepare this process for arithmetic.

    :param products: whether there may be products of matrices.
    :raises UsageError: the kernels that are asked for are not there.
    """
    choose_kernels()
    keep_freed_memory()
    if not products:
        _spare_threads()


def _spare_threads() -> None:
    """Let the BLAS of NumPy start no threads, which would turn round waiting for products."""
    if "numpy" in sys.modules:  # they run already, and only children would read this
        return
    for name in _BLAS:
        os.environ.setdefault(name, "1")


def choose_kernels() -> None:
    """Take the kernels that the environment names, if it does.

    :raises UsageError: they are not there.
    """
    asked = os.environ.get(VARIABLE)
    if asked:
        from compress_core.kernels.twins import use

        use(asked)


def version_line() -> str:
    """Which version this is, and whose arithmetic it would do."""
    from compress_core import __version__
    from compress_core.kernels.twins import in_use

    choose_kernels()
    names = {"native": "native", "numpy": "NumPy"}
    return f"modelopt {__version__} ({names[in_use()]} kernels)\n"
