"""Write the golden folders of the layout ``mlx``.

    python tests/golden/make_mlx.py

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
    **{f"MLX{bits}": [quantize(preset=f"MLX{bits}")] for bits in (2, 3, 4, 5, 6, 8)},
    "MXFP4A16": [quantize(preset="MXFP4A16")],
    "MXFP8A16": [quantize(preset="MXFP8A16")],
    "NVFP4A16": [quantize(preset="NVFP4A16")],
    "W4A16": [quantize(preset="W4A16", group_size=32)],
    "mixed": [
        {"pass": "prune", "structure": "2of4", "match": ["*.down_proj"]},
        quantize(
            preset="MLX4",
            group_size=32,
            rules=[{"match": ["*.down_proj"], "preset": "W8A16", "group_size": 64}],
        ),
        quantize(scheme="nvfp4", match=["embed_tokens.weight"]),
    ],
}


def tensors(name: str) -> Arrays:
    """What all cases are made of: linear layers of every dtype, one of a width that no group
    divides, a table and a vector.
    """
    bf16 = ml_dtypes.bfloat16
    return {
        "0.q_proj.weight": formula((3, 64), 1, bf16),
        "0.k_proj.weight": formula((2, 64), 2),
        "0.down_proj.weight": formula((5, 128), 3, np.float16),
        "0.odd_proj.weight": formula((2, 20), 4),
        "0.q_proj.bias": formula((3,), 5),
        "embed_tokens.weight": formula((4, 32), 6, bf16),
    }


GOLDEN = Golden("mlx", CASES, tensors)

if __name__ == "__main__":
    GOLDEN.add_missing()
