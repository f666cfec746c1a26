"""What layouts for servers say of a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from compress_core.dtypes import DTYPES
from compress_core.layouts._served.fitness import (
    all_unread,
    fused_experts,
    no_config,
    not_read,
    tied_head,
    transposed,
    unlike,
)
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


def test_what_a_reader_refuses_needs_to_be_allowed() -> None:
    found = checkpoint({"a.weight": (256, 256), "b.weight": (256, 256)}, {"a.weight"})
    (refusal,) = not_read(found, lambda form: f"no {form}", allow_unread=False)
    assert (refusal.name, refusal.reason) == ("a.weight", "no int4 g128")
    assert "--allow-unread" in str(refusal.hint)
    assert list(not_read(found, lambda form: f"no {form}", allow_unread=True)) == []
    assert list(not_read(found, lambda form: None, allow_unread=False)) == []
    assert all_unread(found, lambda form: f"no {form}") == ["no int4 g128"]


def test_layers_that_are_joined_are_alike() -> None:
    shapes = {f"0.{name}_proj.weight": (256, 256) for name in "qkvo"}
    assert list(unlike(checkpoint(shapes, set(shapes)))) == []
    assert list(unlike(checkpoint(shapes, {"0.o_proj.weight"}))) == []
    (refusal,) = unlike(checkpoint(shapes, {"0.k_proj.weight"}))
    assert "0.q_proj is dense and 0.k_proj is int4 g128" in refusal.reason


def test_weights_that_are_stored_the_other_way_round_are_refused() -> None:
    shapes = {"h.0.attn.c_attn.weight": (256, 768), "h.0.other.weight": (256, 256)}
    assert list(transposed(checkpoint(shapes, set(shapes), {"model_type": "llama"}))) == []
    (refusal,) = transposed(checkpoint(shapes, set(shapes), {"model_type": "gpt2"}))
    assert refusal.name == "h.0.attn.c_attn.weight"
    assert "--ignore '*c_attn'" in str(refusal.hint)
