"""Which of two kernels is called."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compress_core import kernels
from compress_core.errors import UsageError
from compress_core.kernels import native, twins

NOT_TWINS = {"calls", "libmodelopt_kernels"}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    twins.use(None)


def modules() -> list[str]:
    """Names of the modules that have twins."""
    found = (module.name for module in pkgutil.iter_modules(native.__path__))
    return [name for name in found if name not in NOT_TWINS]


def specifications() -> dict[str, Any]:
    for module in pkgutil.iter_modules(kernels.__path__):
        importlib.import_module(f"compress_core.kernels.{module.name}")
    return twins.SPECIFICATIONS


def test_every_specification_has_a_twin_of_the_same_signature() -> None:
    for name, specification in specifications().items():
        found = inspect.signature(twins.twin_of(*name.split(".")))
        assert found == inspect.signature(specification), name


def test_every_module_of_twins_is_called_and_has_tests(root: Path) -> None:
    assert {name.split(".")[0] for name in specifications()} == set(modules())
    tests = root / "tests/compress_core/kernels/native"
    assert {path.stem for path in tests.glob("test_*.py")} >= {f"test_{one}" for one in modules()}


def test_the_library_is_taken_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: object())
    assert twins.in_use() == "native"
    monkeypatch.setattr(native, "library", lambda: None)
    assert twins.in_use() == "numpy"


def test_one_kind_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: object())
    twins.use("numpy")
    assert twins.in_use() == "numpy"
    twins.use("native")
    assert twins.in_use() == "native"


def test_native_kernels_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: None)
    with pytest.raises(UsageError, match="without a C compiler"):
        twins.use("native")
    with pytest.raises(UsageError, match="no such kernels"):
        twins.use("cuda")


def test_what_is_asked_for_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: object())
    monkeypatch.setattr(twins, "twin_of", lambda module, name: lambda: f"{module}.{name} in C")
    monkeypatch.setattr(twins, "SPECIFICATIONS", {})

    @twins.twin
    def some() -> str:
        return "NumPy"

    assert some() == "test_twins.some in C"
    twins.use("numpy")
    assert some() == "NumPy"
