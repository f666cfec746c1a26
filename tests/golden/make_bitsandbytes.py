"""Write the golden folders of the layout ``bitsandbytes``.

    python tests/golden/make_bitsandbytes.py

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
    "NF4": [quantize(preset="NF4")],
    "NF4 with codes of scales": [quantize(preset="NF4", double_quant=True)],
    "blocks of 32": [
        {"pass": "prune", "structure": "2of4", "match": ["*.down_proj"]},
        quantize(preset="NF4", group_size=32),
    ],
}


def tensors(name: str) -> Arrays:
    """What a case is made of: linear layers, one of a width that no block divides, a table and a
    vector. Codes of scales need a table of their own, which makes small layers larger.
    """
    bf16 = ml_dtypes.bfloat16
    if "of scales" in name:
        return {"0.down_proj.weight": formula((9, 256), 4, bf16), "0.q_proj.bias": formula((3,), 6)}
    found = {
        f"0.{name}_proj.weight": formula((3, 64), seed, bf16) for seed, name in enumerate("qkv")
    }
    return found | {
        "0.down_proj.weight": formula((5, 128), 4, np.float16),
        "0.up_proj.weight": formula((2, 64), 8),
        "0.odd_proj.weight": formula((2, 20), 5),
        "0.q_proj.bias": formula((3,), 6),
        "embed_tokens.weight": formula((4, 8), 7, bf16),
    }


GOLDEN = Golden("bitsandbytes", CASES, tensors)

if __name__ == "__main__":
    GOLDEN.add_missing()
