"""Write the golden folders of the layout ``gptq``.

    python tests/golden/make_gptq.py

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
    "W8A16": [
        {"pass": "prune", "structure": "2of4", "match": ["*.down_proj"]},
        quantize(preset="W8A16", group_size="channel"),
    ],
}


def tensors(name: str) -> Arrays:
    """What a case is made of: linear layers, one of a width that words do not divide, a table and
    a vector.
    """
    bf16 = ml_dtypes.bfloat16
    found = {
        f"0.{name}_proj.weight": formula((8, 32), seed, bf16) for seed, name in enumerate("qkv")
    }
    return found | {
        "0.down_proj.weight": formula((16, 32), 4, np.float16),
        "0.odd_proj.weight": formula((2, 20), 5),
        "0.q_proj.bias": formula((8,), 6),
        "embed_tokens.weight": formula((4, 8), 7, bf16),
    }


GOLDEN = Golden("gptq", CASES, tensors)

if __name__ == "__main__":
    GOLDEN.add_missing()
