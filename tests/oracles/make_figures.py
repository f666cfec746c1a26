"""Write what compressed-tensors and bitsandbytes make of one small matrix.

    pip install -e '.[dev,oracle]' && python tests/oracles/make_figures.py

The figures let the tests that need no framework hold the formulas too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.oracles.test_quantizers import (
    blocks_of_nf4,
    doubled_by_bitsandbytes,
    four_bit_floats,
    library,
)

FIGURES = Path(__file__).parents[1] / "compress_core" / "schemes" / "figures.json"


def matrix() -> NDArray[np.float32]:
    """Six rows of 64 numbers in sixteenths: ties, zeros, one sign, an outlier."""
    values = (np.arange(6 * 64).reshape(6, 64) * 2654435761 % 4093 - 2046) / 16
    values[1] = np.abs(values[1])
    values[2] /= 64
    values[3, 7] = 4000
    values[4, ::2] = 0
    values[5] = np.arange(64) % 16 - 8
    return values.astype(np.float32)


def entry(options: dict[str, Any], scale: Any, numbers: Any, zero: Any = None) -> dict[str, Any]:
    found = {"options": options, "scale": scale.tolist(), "numbers": numbers.tolist()}
    return found if zero is None else found | {"zero": zero.tolist()}


def main() -> None:
    values = matrix()
    found = []
    for bits in range(2, 9):
        for group in (32, None):
            for symmetric in (True, False):
                strategy = {"strategy": "group", "group_size": group} if group else {}
                args = {"num_bits": bits, "type": "int", "symmetric": symmetric}
                args |= strategy or {"strategy": "channel"}
                theirs = library(values, args, group, whole=False)
                options = {"bits": bits, "group_size": group or "channel", "symmetric": symmetric}
                zero = None if symmetric else theirs.zero
                found.append(entry(options, theirs.scale, theirs.numbers, zero))
    theirs = library(
        values, {"num_bits": 8, "type": "float", "strategy": "channel"}, None, whole=False
    )
    found.append(entry({"scheme": "fp8"}, theirs.scale, theirs.numbers))
    for name, (args, group) in four_bit_floats().items():
        theirs = library(values, args, group, whole=name == "nvfp4")
        found.append(entry({"scheme": name}, theirs.scale, theirs.numbers))
    codes, scale = blocks_of_nf4(values, 64)
    found.append(entry({"scheme": "nf4"}, scale, codes))
    _, state = doubled_by_bitsandbytes(values, 64)
    found.append(entry({"scheme": "nf4-double"}, state.absmax.reshape(-1, 1), codes))
    FIGURES.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
