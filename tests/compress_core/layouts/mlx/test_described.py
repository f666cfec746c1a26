"""``quantization`` in ``config.json``, written."""

from __future__ import annotations

from typing import Any

from compress_core.dtypes import DTYPES
from compress_core.layouts._served.quantization import without_quantization
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.mlx.described import KEYS, described, quantization
from compress_core.schemes.affine import Affine
from compress_core.schemes.base import Scheme
from compress_core.schemes.integer import Integer
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.tensors import Form

BF16 = DTYPES["BF16"]
FOUR: dict[str, Any] = {"group_size": 64, "bits": 4, "mode": "affine"}


def coded(**schemes: Scheme) -> dict[str, Form]:
    return {f"{name}.weight": Form(BF16, scheme) for name, scheme in schemes.items()}


def test_the_most_frequent_kind_is_said_once_and_the_others_by_name() -> None:
    found = quantization(
        coded(
            a=Nvfp4(4, 16, global_scale=False), b=Affine(4, 64), c=Integer(4, 64), d=Affine(8, 32)
        )
    )
    assert found == {
        **FOUR,
        "a": {"group_size": 16, "bits": 4, "mode": "nvfp4"},
        "d": {"group_size": 32, "bits": 8, "mode": "affine"},
    }


def test_it_stands_in_a_config_twice_in_the_place_of_what_was_there() -> None:
    before = {"quantization_config": {"bits": 1}, "model_type": "x"}
    found = described(Checkpoint({}, coded(a=Affine(4, 64)), before))
    assert found == {"model_type": "x", "quantization": FOUR, "quantization_config": FOUR}
    assert without_quantization(found, KEYS) == {"model_type": "x"}
