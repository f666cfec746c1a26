"""The library whose functions are compared: the one that is installed, or another build of it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest

from compress_core.kernels import native


@pytest.fixture(scope="session", autouse=True)
def _other_build() -> Iterator[None]:
    """Take the build that ``MODELOPT_TEST_KERNELS`` names: ``.ci/sanitize``."""
    file = os.environ.get("MODELOPT_TEST_KERNELS")
    with pytest.MonkeyPatch.context() as patch:
        if file:
            built = ctypes.CDLL(file)
            assert built.modelopt_interface() == native.INTERFACE
            patch.setattr(native, "library", lambda: built)
        yield


@pytest.fixture(scope="session")
def library(_other_build: None) -> None:
    """Skip what needs the library of C functions, where it was not built."""
    if native.library() is None:
        pytest.skip("built without a C compiler")
