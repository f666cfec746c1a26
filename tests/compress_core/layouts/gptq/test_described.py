"""What a checkpoint says of its layers, and which it may not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from compress_core.dtypes import DTYPES
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.gptq.described import described, quantization_config
from compress_core.layouts.gptq.fitness import misfit, refusals
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form, TensorInfo

BF16 = DTYPES["BF16"]
PLAIN = Form(BF16)
INT4 = Form(BF16, Integer(4, 128, scale_dtype="F16"))
INT8 = Form(BF16, Integer(8, "channel", scale_dtype="F16"))


def checkpoint(
    forms: Mapping[str, Form], config: Mapping[str, Any] | None = None, **others: Any
) -> Checkpoint:
    infos = {name: TensorInfo(name, BF16, (256, 256), 2 * 256**2) for name in forms}
    return Checkpoint(infos, forms, config or {}, is_folder=True, **others)


def test_all_layers_are_described_at_once_and_the_rest_of_the_config_stays() -> None:
    forms = {"model.layers.0.fc1.weight": INT4, "lm_head.weight": PLAIN}
    found = described(checkpoint(forms, {"model_type": "x", "quantization_config": {"old": 1}}))
    assert found == {
        "model_type": "x",
        "quantization_config": {
            "quant_method": "gptq",
            "bits": 4,
            "group_size": 128,
            "sym": True,
            "desc_act": False,
            "checkpoint_format": "gptq",
            "pack_dtype": "int32",
            "lm_head": False,
        },
    }


def test_a_scale_a_row_is_a_group_size_of_minus_one() -> None:
    config = quantization_config(checkpoint({"model.layers.0.fc1.weight": INT8}))
    assert (config["bits"], config["group_size"]) == (8, -1)


def test_blocks_that_readers_do_not_find_and_dense_layers_in_them_are_named() -> None:
    forms = {"encoder.layer.0.fc1.weight": INT4, "encoder.layer.0.fc2.weight": PLAIN}
    config = quantization_config(checkpoint(forms))
    assert config["block_name_to_quantize"] == "encoder.layer"
    assert config["modules_in_block_to_quantize"] == [["fc1"]]


def test_one_kind_of_codes_has_room() -> None:
    forms = {"model.layers.0.fc1.weight": INT4, "model.layers.0.fc2.weight": INT8}
    (refusal,) = refusals(checkpoint(forms), allow_unread=True)
    assert refusal.name == "model.layers.0.fc2.weight"
    assert "one kind" in refusal.reason


def test_one_list_of_blocks_is_read() -> None:
    forms = {"model.encoder.layers.0.fc1.weight": INT4, "model.decoder.layers.0.fc1.weight": INT4}
    (refusal,) = refusals(checkpoint(forms), allow_unread=False)
    assert refusal.hint == "--ignore 'model.decoder.layers.*', or --allow-unread"
    assert list(refusals(checkpoint(forms), allow_unread=True)) == []


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        (Integer(4, 16, scale_dtype="F16"), "not g16"),
        (Integer(4, "channel", scale_dtype="F16"), "in groups alone"),
    ],
)
def test_what_no_kernel_computes_needs_to_be_allowed(scheme: Integer, said: str) -> None:
    found = checkpoint({"model.layers.0.fc1.weight": Form(BF16, scheme)})
    (refusal,) = refusals(found, allow_unread=False)
    assert said in refusal.reason
    assert list(refusals(found, allow_unread=True)) == []


@pytest.mark.parametrize(
    ("name", "shape", "allowed", "said"),
    [
        ("model.layers.0.fc1.weight", (256, 256), False, None),
        ("model.layers.0.fc1.weight", (256, 64), False, "no multiple of 128"),
        ("model.layers.0.fc1.weight", (256, 64), True, None),
        ("model.layers.0.fc1.weight", (252, 128), True, "no multiples of 8"),
        ("model.layers.0.fc1.weight", (256, 132), True, "no multiples of 8"),
        ("pooler.dense.weight", (256, 256), False, "numbered blocks"),
        ("pooler.dense.weight", (256, 256), True, None),
        ("model.embed_tokens.weight", (256, 256), True, "linear"),
    ],
)
def test_which_tensors_have_codes(
    name: str, shape: tuple[int, int], allowed: bool, said: str | None
) -> None:
    info = TensorInfo(name, BF16, shape, 2 * shape[0] * shape[1])
    found = misfit(info, allow_unread=allowed)
    assert found is None if said is None else said in str(found)
