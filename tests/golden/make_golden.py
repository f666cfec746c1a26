"""Write the golden files of the layout ``packed``, version 1, and what they restore to.

    python tests/golden/make_golden.py

Files that exist are never changed: once released, a golden file is read for ever. A file that would
come out differently today ends the script with its name.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ml_dtypes
import numpy as np

from compress_core import compress, from_config, operations
from compress_core.fields import Configured
from compress_core.passes.quantize import Quantize

GOLDEN = Path(__file__).parent / "packed-1"
EXPECTED = GOLDEN / "expected.json"

# the version of the tool is written into files, and is no part of the format
TOOL = "0.1.0"

# nor is the spec, which is for people: the first files were written when this was the default
ONCE_DEFAULT = ("scale_search", "none")

Arrays = dict[str, np.ndarray[Any, Any]]
Passes = list[dict[str, Any]]

BF16 = ml_dtypes.bfloat16


def formula(shape: tuple[int, ...], seed: int, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    """Cubes of numbers between -1 and 1, by a multiplicative hash of the index."""
    hashes = [
        (index * 2654435761 + seed * 40503 + 12345) % 2**32 for index in range(math.prod(shape))
    ]
    ones = np.array([number / 2**31 - 1 for number in hashes])
    return np.asarray((ones * ones * ones).astype(dtype).reshape(shape))


def quantize(match: str, **options: Any) -> dict[str, Any]:
    return {"pass": "quantize", "match": [match], "scale_search": "none", **options}


def prune(match: str, **options: Any) -> dict[str, Any]:
    return {"pass": "prune", "match": [match], **options}


# name of a file → its input and passes
CASES: dict[str, tuple[Arrays, Passes]] = {
    "integer": (
        {
            "a": formula((3, 10), 1),
            "b": formula((4, 9), 2, np.float16),
            "c": formula((2, 21), 3, BF16),
            "d": formula((5, 7), 4, np.float64),
            "kept": np.arange(3),
        },
        [
            quantize("a", bits=2),
            quantize("b", bits=3, group_size=7),
            quantize("c", bits=5, group_size=8),
            quantize("d", bits=8, group_size="tensor"),
        ],
    ),
    "asymmetric": (
        {
            "a": formula((3, 10), 5),
            "b": formula((4, 19), 6, np.float16),
            "c": formula((2, 24), 7, BF16),
            "d": formula((7, 5), 8) + np.float32(2),
        },
        [
            prune("a", sparsity=0.4),
            quantize("a", bits=3, symmetric=False),
            quantize("b", bits=4, symmetric=False, group_size=6),
            quantize("c", bits=8, symmetric=False, group_size=12),
            quantize("d", bits=7, symmetric=False, group_size="tensor"),
        ],
    ),
    "mean": (
        {
            "a": formula((3, 10), 9) - np.float32(1),
            "b": formula((4, 19), 10, BF16),
            "c": formula((2, 3, 2, 2), 11),
        },
        [
            quantize("a", bits=4, center="mean"),
            quantize("b", bits=6, center="mean", group_size=8, scale_dtype="f16"),
            quantize("c", bits=2, center="mean", group_size="tensor"),
        ],
    ),
    "binary": (
        {
            "a": formula((3, 10), 12) + np.float32(0.25),
            "b": formula((4, 19), 13, np.float16),
            "c": formula((2, 9), 14),
        },
        [
            quantize("a", bits=1),
            quantize("b", bits=1, center="none", group_size=16),
            quantize("c", bits=1, group_size="tensor"),
        ],
    ),
    "values": (
        {
            "element": formula((9, 15), 15),
            "row": formula((9, 7), 16, np.float64),
            "column": formula((13, 15), 17, BF16),
            "block": formula((8, 17), 18),
            "plain": formula((3, 5), 19),
        },
        [
            prune("element", sparsity=0.6),
            prune("row", sparsity=0.5, structure="row"),
            prune("column", sparsity=0.6, structure="column"),
            prune("block", sparsity=0.6, structure="3x5"),
            prune("plain", sparsity=0.5),
        ],
    ),
    "codes": (
        {
            "element": formula((9, 15), 20),
            "row": formula((9, 7), 21),
            "column": formula((13, 15), 22, BF16),
            "block": formula((8, 17), 23),
        },
        [
            prune("element", sparsity=0.6),
            prune("row", sparsity=0.5, structure="row"),
            prune("column", sparsity=0.6, structure="column"),
            prune("block", sparsity=0.6, structure="3x5"),
            quantize("element", bits=3, center="mean"),
            quantize("row", bits=4, center="mean", group_size=4),
            quantize("column", bits=1, group_size=8),
            quantize("block", bits=5, center="mean", group_size="tensor"),
        ],
    ),
    "ranks": (
        {
            "values": formula((6, 30), 25),
            "codes": formula((3, 43), 26),
            "ones": formula((4, 26), 27, np.float16),
            "none": formula((9, 16), 28),
            "wide": formula((3, 50), 29),
        },
        [
            prune("values", structure="2of4"),
            prune("codes", structure="3of8"),
            prune("ones", structure="1of3"),
            prune("none", structure="0of4"),
            prune("wide", structure="5of24"),
            quantize("codes", bits=4, center="mean"),
            quantize("ones", bits=1, center="none"),
        ],
    ),
}

# written by later versions of the tool, in the same version of the layout
CASES |= {
    "formats": (
        {
            "ternary": formula((3, 21), 40),
            "fp8": formula((2, 19), 41, np.float16),
            "fp8 wide": formula((2, 12), 42, BF16),
            "nf4": formula((3, 20), 43),
            "mxfp4": formula((2, 40), 44),
            "nvfp4": formula((3, 35), 45, BF16),
            "pruned": formula((4, 32), 46),
        },
        [
            prune("pruned", structure="2of4"),
            quantize("ternary", scheme="ternary", group_size=8),
            quantize("fp8", scheme="fp8"),
            quantize("fp8 wide", scheme="fp8", element="e5m2", group_size=6),
            quantize("nf4", scheme="nf4", group_size=8),
            quantize("mxfp4", scheme="mxfp4"),
            quantize("nvfp4", scheme="nvfp4"),
            quantize("pruned", scheme="nvfp4"),
        ],
    ),
    "double": (
        {
            "blocks": formula((9, 63), 47),
            "rows": formula((40, 30), 48, BF16),
            "library": formula((2, 20), 49, np.float16),
        },
        [
            prune("rows", sparsity=0.5, structure="row"),
            quantize("blocks", scheme="nf4", group_size=2, double_quant=True),
            quantize("rows", scheme="nf4", group_size=4, double_quant=True),
            quantize("library", preset="NF4", group_size=4, double_quant=True),
        ],
    ),
}

CASES |= {
    "lines": (
        {
            "affine": formula((3, 70), 50) + np.float32(1),
            "affine wide": formula((2, 48), 51, BF16),
            "affine pruned": formula((4, 32), 52, np.float16),
            "mxfp8": formula((2, 40), 53, BF16),
        },
        [
            prune("affine pruned", sparsity=0.4),
            quantize("affine", scheme="affine", bits=4),
            quantize("affine wide", scheme="affine", bits=7, group_size=16),
            quantize("affine pruned", scheme="affine", bits=3, group_size="channel"),
            quantize("mxfp8", scheme="mxfp8"),
        ],
    ),
}

FOLDER = "folder"
FOLDER_PASS = {"pass": "quantize", "bits": 4, "scale_search": "none"}
SHARDS: list[Arrays] = [
    {"a.weight": formula((4, 12), 30), "a.bias": formula((4,), 31)},
    {"b.weight": formula((4, 12), 32, BF16)},
]


CODES = {"int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64"}


def save(tensors: Arrays, path: Path) -> None:
    """Write a safetensors file whose order no library decides."""
    header: dict[str, Any] = {}
    data = b""
    for name, array in tensors.items():
        span = [len(data), len(data) + array.nbytes]
        header[name] = {
            "dtype": CODES[str(array.dtype)],
            "shape": array.shape,
            "data_offsets": span,
        }
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def make(target: Path) -> None:
    """Write every golden file into ``target`` as the tool writes it today."""
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(operations, "__version__", TOOL),
        patch.object(Quantize, "config", as_said_once),
    ):
        source = Path(folder) / "in.safetensors"
        for name, (tensors, passes) in CASES.items():
            save(tensors, source)
            spec = from_config({"version": 1, "passes": passes})
            compress(source, target / f"{name}.safetensors", spec)
        model = write_model(Path(folder) / "model")
        spec = from_config({"version": 1, "passes": [FOLDER_PASS]})
        compress(model, target / FOLDER, spec)


def as_said_once(work: Quantize) -> dict[str, Any]:
    """The options of a pass without what went without saying."""
    return dict(item for item in Configured.config(work).items() if item != ONCE_DEFAULT)


def write_model(model: Path) -> Path:
    """A checkpoint folder of two shards."""
    model.mkdir()
    weight_map: dict[str, str] = {}
    for number, shard in enumerate(SHARDS, start=1):
        name = f"model-{number:05d}-of-{len(SHARDS):05d}.safetensors"
        save(shard, model / name)
        weight_map |= dict.fromkeys(shard, name)
    index = json.dumps({"metadata": {}, "weight_map": weight_map})
    (model / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    return model


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder`` but the expectations."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != EXPECTED.name
    }


def fingerprint(tensors: Arrays) -> dict[str, str]:
    """For each tensor its dtype, shape and the SHA-256 of its data."""
    return {
        name: f"{array.dtype} {list(array.shape)} {hashlib.sha256(array.tobytes()).hexdigest()}"
        for name, array in sorted(tensors.items())
    }


def main() -> None:
    from tests.independent.packed_reader import read

    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        found = files_in(Path(folder))
    known = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {}
    for name, content in found.items():
        path = GOLDEN / name
        if path.exists() and path.read_bytes() != content:
            sys.exit(f"{name} would change: a change of the format needs a new version")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name in [*(f"{case}.safetensors" for case in CASES), FOLDER]:
        known.setdefault(name, fingerprint(read(GOLDEN / name)))
    EXPECTED.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
