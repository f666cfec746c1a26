"""The library of C functions: found, or refused without an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core.kernels import native
from compress_core.kernels.native.calls import function

find = native.library.__wrapped__


def test_a_file_that_is_no_library_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "libmodelopt_kernels.so").write_bytes(b"no library")
    monkeypatch.setattr(native, "__path__", [str(tmp_path)])
    assert find() is None


def test_nothing_to_load_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "__path__", [str(tmp_path)])
    assert find() is None


def test_a_library_of_another_version_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    if native.library() is None:
        pytest.skip("built without a C compiler")
    monkeypatch.setattr(native, "INTERFACE", -1)
    assert find() is None


def test_no_function_is_called_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: None)
    with pytest.raises(RuntimeError, match="no native kernels"):
        function("modelopt_interface")()
