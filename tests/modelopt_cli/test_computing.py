"""Which kernels a process takes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compress_core.kernels import native, twins
from modelopt_cli.computing import VARIABLE


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    twins.use(None)


def test_the_version_says_which(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "library", lambda: object())
    assert cli("--version").out.endswith("(native kernels)\n")
    monkeypatch.setattr(native, "library", lambda: None)
    assert cli("--version").out.endswith("(NumPy kernels)\n")


def test_the_environment_chooses(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "numpy")
    assert cli("--version").out.endswith("(NumPy kernels)\n")
    assert cli("--version", "prune").out.endswith("(NumPy kernels)\n")


@pytest.mark.parametrize("asked", ["native", "cuda"])
def test_kernels_that_are_not_there_are_refused(
    asked: str, cli: Any, monkeypatch: pytest.MonkeyPatch, samples: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(native, "library", lambda: None)
    monkeypatch.setenv(VARIABLE, asked)
    target = tmp_path / "out.safetensors"
    ran = cli("quantize", samples / "fracast.safetensors", "--bits", "4", "-o", target)
    assert ran.code == 2
    assert "kernels" in ran.err
    assert not target.exists()


_BEGIN = """
import os
from modelopt_cli.computing import begin_computing
begin_computing(products={products})
print(os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.parametrize(
    ("products", "given", "expected"),
    [(False, {}, "1"), (True, {}, "None"), (False, {"OPENBLAS_NUM_THREADS": "3"}, "3")],
)
def test_blas_gets_threads_for_products_alone(
    clean_environment: dict[str, str], products: bool, given: dict[str, str], expected: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _BEGIN.format(products=products)],
        env=clean_environment | given,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout.strip() == expected
