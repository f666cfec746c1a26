"""Write the golden folders of the layout ``compressed-tensors``.

    python tests/golden/make_compressed_tensors.py

Folders that exist are never changed: a file that would come out differently today ends the script
with its name.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from tests.golden.make_golden import Arrays, formula
from tests.golden.served import Golden, quantize

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


GOLDEN = Golden("compressed-tensors", CASES, tensors)

if __name__ == "__main__":
    GOLDEN.add_missing()
