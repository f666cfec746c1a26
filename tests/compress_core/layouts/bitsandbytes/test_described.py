"""What a checkpoint says of its layers, and which it may not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from compress_core.dtypes import DTYPES
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.bitsandbytes import BitsAndBytes
from compress_core.layouts.bitsandbytes.described import described
from compress_core.layouts.bitsandbytes.fitness import refusals
from compress_core.schemes.integer import Integer
from compress_core.schemes.nf4 import Nf4
from compress_core.tensors import Form, TensorInfo

BF16 = DTYPES["BF16"]
PLAIN = Form(BF16)
NF4 = Form(BF16, Nf4(4, 64))


def checkpoint(
    forms: Mapping[str, Form], config: Mapping[str, Any] | None = None, **others: Any
) -> Checkpoint:
    infos = {name: TensorInfo(name, BF16, (256, 256), 2 * 256**2) for name in forms}
    return Checkpoint(infos, forms, config or {}, is_folder=True, **others)


def test_dense_layers_are_named_and_the_rest_of_the_config_stays() -> None:
    forms = {"0.fc1.weight": NF4, "0.fc2.weight": PLAIN, "wte.weight": PLAIN}
    found = described(checkpoint(forms, {"model_type": "x", "quantization_config": {"old": 1}}))
    assert found == {
        "model_type": "x",
        "quantization_config": {
            "quant_method": "bitsandbytes",
            "load_in_4bit": True,
            "load_in_8bit": False,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": False,
            "bnb_4bit_compute_dtype": "bfloat16",
            "bnb_4bit_quant_storage": "uint8",
            "llm_int8_enable_fp32_cpu_offload": False,
            "llm_int8_has_fp16_weight": False,
            "llm_int8_skip_modules": ["0.fc2"],
            "llm_int8_threshold": 6.0,
        },
    }


def test_layers_are_computed_in_the_dtype_that_most_of_them_had() -> None:
    wide = Form(DTYPES["F64"], Nf4(4, 64))
    found = described(checkpoint({"0.a.weight": NF4, "0.b.weight": wide, "0.c.weight": wide}))
    assert found["quantization_config"]["bnb_4bit_compute_dtype"] == "float32"


@pytest.mark.parametrize(
    ("dense", "coded"),
    [
        ("head.score", "head.score.fc"),
        ("score", "head.score"),
        ("fc", "0.swiglu_fc"),
        ("layers.1", "layers.1.mlp.fc"),
    ],
)
def test_a_name_that_means_a_layer_with_codes_is_refused(dense: str, coded: str) -> None:
    forms = {f"{dense}.weight": PLAIN, f"{coded}.weight": NF4}
    (refusal,) = refusals(checkpoint(forms))
    assert refusal.name == f"{coded}.weight"
    assert dense in refusal.reason
    assert refusal.hint is not None
    assert f"--ignore {coded}" in refusal.hint


def test_names_that_only_begin_alike_mean_one_layer_each() -> None:
    forms = {"layers.1.weight": PLAIN, "layers.11.fc.weight": NF4, "b.fc.weight": NF4}
    assert list(refusals(checkpoint(forms))) == []


def test_layers_that_servers_join_must_be_alike() -> None:
    forms = {"0.q_proj.weight": NF4, "0.k_proj.weight": PLAIN, "0.v_proj.weight": NF4}
    assert any("join" in refusal.reason for refusal in refusals(checkpoint(forms)))


@pytest.mark.parametrize(
    "form",
    [
        Form(BF16, Nf4(4, 16)),
        Form(BF16, Nf4(4, "channel")),
        Form(BF16, Nf4(4, 64, "F16")),
        Form(BF16, Integer(4, 64)),
        Form(BF16, Nf4(4, 64), inputs="int8"),
    ],
)
def test_there_are_no_other_blocks(form: Form) -> None:
    info = TensorInfo("0.fc1.weight", BF16, (256, 256), 2 * 256**2)
    refusal = BitsAndBytes().fits(info, form)
    assert refusal is not None
    assert refusal.hint == "--group-size 64"
    assert BitsAndBytes().fits(info, NF4) is None
