"""Ways to run the command, and results to show."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from compress_core.report import ErrorResult, Report, TensorReport, Totals
from modelopt_cli import main

MIB = 1024**2


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """Run a command line in this process, in an environment that says nothing of terminals."""
    for variable in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "CI"):
        monkeypatch.delenv(variable, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: str | Path) -> Ran:
        code = main.run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def shell(root: Path, tmp_path: Path) -> Cli:
    """Run a command line in a process of its own, in an empty folder."""

    def run(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "modelopt_cli", *map(str, arguments)],
            cwd=tmp_path,
            env=_environment(root) | dict(environment or {}),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def clean_environment(root: Path) -> dict[str, str]:
    """What a process needs to find the packages, and nothing else."""
    return _environment(root)


def _environment(root: Path) -> dict[str, str]:
    found = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "cli")]),
    }
    measured = {key: value for key, value in os.environ.items() if key.startswith("COV")}
    return found | measured


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small file: two layers, an embedding, a norm."""
    rng = np.random.default_rng(7)
    tensors = {"embed_tokens.weight": rng.standard_normal((64, 96), dtype=np.float32)}
    for layer in range(2):
        tensors[f"layers.{layer}.mlp.up_proj.weight"] = rng.standard_normal(
            (96, 128), dtype=np.float32
        )
        tensors[f"layers.{layer}.norm.weight"] = np.ones(96, np.float32)
    path = tmp_path / "small.safetensors"
    save_file(tensors, path)
    return path


def _tensor(name: str, to: str, before: int, after: int, error: float | None) -> TensorReport:
    return TensorReport(
        name=name,
        shape=(before // 8, 4),
        dtype="BF16",
        to=to,
        bytes_in=before,
        bytes_out=after,
        measured=None if error is None else ErrorResult(error**2, 1.0, 0.031),
        zeros=0 if error is None else before // 8,
        quantized=error is not None,
        kept_because=None if error is not None else "ignored by embed_tokens",
    )


@pytest.fixture
def report() -> Report:
    """A checkpoint of two layers after ``quantize --preset W4A16 --ignore embed_tokens``."""
    tensors = [_tensor("embed_tokens.weight", "kept", 2 * MIB, 2 * MIB, None)]
    for layer in range(2):
        for word, size in (("mlp.gate_proj", 11 * MIB // 8), ("self_attn.q_proj", MIB // 2)):
            name = f"layers.{layer}.{word}.weight"
            tensors.append(_tensor(name, "int4 g128", size, size * 33 // 128, 0.158 + layer / 1000))
        for word in ("input_norm", "post_norm"):
            tensors.append(_tensor(f"layers.{layer}.{word}.weight", "kept", 512, 512, None))
    tensors.append(_tensor("norm.weight", "kept", 512, 512, None))
    before = sum(tensor.bytes_in for tensor in tensors)
    after = sum(tensor.bytes_out for tensor in tensors)
    return Report(
        kind="run",
        source="tiny",
        target="tiny-w4a16",
        layout="packed",
        read_by="modelopt restore",
        tensors=tuple(tensors),
        totals=Totals(
            bytes_in=before + 1000,
            bytes_out=after + 1200,
            tensor_bytes_in=before,
            tensor_bytes_out=after,
            elements=before // 2,
            float_elements=before // 2,
            measured=ErrorResult(0.114**2, 1.0, 0.031),
            zeros=before // 16,
        ),
        spec={"version": 1, "passes": [{"pass": "quantize", "preset": "W4A16"}]},
        version="0.1.0",
        files={"model.safetensors": after + 1200},
    )
