"""Write the golden folders of the layout ``compressed-tensors``.

    python tests/golden/make_compressed_tensors.py

Folders that exist are never changed: a file that would come out differently today ends the script
with its name.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import ml_dtypes
import numpy as np

from compress_core import compress, from_config, operations
from tests.golden.make_golden import TOOL, Arrays, formula, save

GOLDEN = Path(__file__).parent / "compressed-tensors-1"
CONFIG = {
    "architectures": ["TinyForCausalLM"],
    "dtype": "bfloat16",
    "model_type": "tiny",
    "tie_word_embeddings": True,
}


def quantize(**options: Any) -> dict[str, Any]:
    return {"pass": "quantize", "scale_search": "none", **options}


# name of a folder → passes
CASES: dict[str, list[dict[str, Any]]] = {
    "W4A16": [quantize(preset="W4A16", group_size=32)],
    "W8A16": [quantize(preset="W8A16", group_size="channel")],
    "W8A8": [quantize(preset="W8A8")],
    "W4A16_ASYM": [quantize(preset="W4A16_ASYM", group_size=32)],
    "W3A16": [quantize(preset="W3A16", group_size=64)],
    "FP8_DYNAMIC": [quantize(preset="FP8_DYNAMIC")],
    "FP8_BLOCK": [quantize(preset="FP8_BLOCK")],
    "NVFP4A16": [quantize(preset="NVFP4A16")],
    "MXFP4A16": [quantize(preset="MXFP4A16")],
    "mixed": [
        {"pass": "prune", "structure": "2of4", "match": ["*.down_proj"]},
        quantize(
            preset="W4A16", group_size=32, rules=[{"match": ["*.down_proj"], "preset": "W8A8"}]
        ),
    ],
}


def tensors(name: str) -> Arrays:
    """What a case is made of: linear layers, one of a width that no group divides, a table and a
    vector; for blocks, which are wide, also a layer that they fit.
    """
    bf16 = ml_dtypes.bfloat16
    found = {
        f"0.{name}_proj.weight": formula((3, 64), seed, bf16) for seed, name in enumerate("qkv")
    }
    return found | {
        "0.down_proj.weight": formula((5, 64), 4, np.float16),
        "0.odd_proj.weight": formula((2, 20), 5),
        "0.q_proj.bias": formula((3,), 6),
        "embed_tokens.weight": formula((4, 8), 7, bf16),
        **({"0.wide.weight": formula((2, 128), 8, bf16)} if name == "FP8_BLOCK" else {}),
    }


def make(target: Path) -> None:
    """Write every golden folder into ``target`` as the tool writes it today."""
    with tempfile.TemporaryDirectory() as folder, patch.object(operations, "__version__", TOOL):
        source = Path(folder)
        (source / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
        for name, passes in CASES.items():
            save(tensors(name), source / "model.safetensors")
            output = {"layout": "compressed-tensors", "allow_unread": True}
            spec = from_config({"version": 1, "passes": passes, "output": output})
            compress(source, target / name, spec)


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        found = files_in(Path(folder))
    for name, content in found.items():
        path = GOLDEN / name
        if path.exists() and path.read_bytes() != content:
            sys.exit(f"{name} would change")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
