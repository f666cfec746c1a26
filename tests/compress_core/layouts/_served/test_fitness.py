"""What layouts for servers say of a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from compress_core.dtypes import DTYPES
from compress_core.layouts._served.fitness import fused_experts, no_config, tied_head
from compress_core.layouts.base import Checkpoint
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form, TensorInfo

BF16 = DTYPES["BF16"]
INT4 = Form(BF16, Integer(4, 128, scale_dtype="BF16"))
EXPERTS = "mlp.experts.down_proj"


def checkpoint(
    shapes: Mapping[str, tuple[int, ...]],
    coded: set[str],
    config: dict[str, object] | None = None,
    *,
    is_folder: bool = True,
) -> Checkpoint:
    infos = {
        name: TensorInfo(name, BF16, shape, 2 * math.prod(shape)) for name, shape in shapes.items()
    }
    forms = {name: INT4 if name in coded else Form(BF16) for name in shapes}
    return Checkpoint(infos, forms, config, is_folder=is_folder)


def test_fused_experts_that_stay_dense_are_said() -> None:
    shapes = {"o_proj.weight": (256, 256), EXPERTS: (4, 256, 128)}
    (said,) = fused_experts(checkpoint(shapes, {"o_proj.weight"}))
    assert said.startswith("1 tensor of fused experts (256.00 KiB) stays dense")


@pytest.mark.parametrize("coded", [set(), {"o_proj.weight", EXPERTS}])
def test_nothing_is_said_of_experts_where_nothing_or_all_is_coded(coded: set[str]) -> None:
    shapes = {"o_proj.weight": (256, 256), EXPERTS: (4, 256, 128)}
    assert fused_experts(checkpoint(shapes, coded)) == []


def test_codes_need_a_folder_with_a_config() -> None:
    shapes = {"o_proj.weight": (256, 256)}
    assert list(no_config(checkpoint(shapes, set()))) == []
    assert list(no_config(checkpoint(shapes, set(shapes), {}))) == []
    (refusal,) = no_config(checkpoint(shapes, set(shapes)))
    assert "no config.json" in refusal.reason
    (refusal,) = no_config(checkpoint(shapes, set(shapes), is_folder=False))
    assert "one file" in refusal.reason


def test_a_tied_head_has_no_codes_of_its_own() -> None:
    found = checkpoint({"lm_head.weight": (256, 256)}, {"lm_head.weight"})
    assert list(tied_head(found)) == []
    tied = checkpoint(
        {"lm_head.weight": (256, 256)}, {"lm_head.weight"}, {"tie_word_embeddings": True}
    )
    (refusal,) = tied_head(tied)
    assert refusal.hint == "--ignore lm_head"
