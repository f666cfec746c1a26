"""``quantization_config``, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from compress_core.dtypes import DTYPES
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.compressed_tensors import CompressedTensors
from compress_core.layouts.compressed_tensors.described import described, quantization_config
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.fp8_block import Fp8Block
from compress_core.schemes.integer import Integer
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.tensors import Form, TensorInfo

BF16 = DTYPES["BF16"]
PLAIN = Form(BF16)
INT4 = Form(BF16, Integer(4, 128, scale_dtype="BF16"))
INT8 = Form(BF16, Integer(8, "channel", scale_dtype="BF16"), inputs="int8")
LLAMA = {"architectures": ["LlamaForCausalLM"], "dtype": "float32", "tie_word_embeddings": True}


def checkpoint(
    forms: Mapping[str, Form], config: Mapping[str, Any] | None = None, **others: Any
) -> Checkpoint:
    infos = {name: TensorInfo(name, BF16, (256, 256), 2 * 256**2) for name in forms}
    return Checkpoint(infos, forms, config or {}, is_folder=True, **others)


def test_one_kind_is_meant_by_its_class() -> None:
    found = checkpoint({"a.up_proj.weight": INT4, "a.down_proj.weight": INT4})
    assert quantization_config(found) == {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "format": "pack-quantized",
                "weights": {
                    "num_bits": 4,
                    "type": "int",
                    "symmetric": True,
                    "group_size": 128,
                    "strategy": "group",
                    "dynamic": False,
                },
                "input_activations": None,
                "output_activations": None,
            }
        },
        "ignore": [],
        "kv_cache_scheme": None,
        "global_compression_ratio": None,
    }


@pytest.mark.parametrize(
    ("form", "format_", "weights", "inputs"),
    [
        (
            INT8,
            "int-quantized",
            {"num_bits": 8, "type": "int", "group_size": None, "strategy": "channel"},
            {"num_bits": 8, "type": "int", "strategy": "token", "dynamic": True},
        ),
        (
            Form(BF16, Fp8(8, "channel"), inputs="fp8"),
            "float-quantized",
            {"num_bits": 8, "type": "float", "group_size": None, "strategy": "channel"},
            {"num_bits": 8, "type": "float", "strategy": "token", "dynamic": True},
        ),
        (
            Form(BF16, Fp8Block(8, 128), inputs="fp8"),
            "float-quantized",
            {"num_bits": 8, "strategy": "block", "block_structure": (128, 128)},
            {"num_bits": 8, "type": "float", "strategy": "group", "group_size": 128},
        ),
        (
            Form(BF16, Nvfp4(4, 16)),
            "nvfp4-pack-quantized",
            {"num_bits": 4, "type": "float", "group_size": 16, "strategy": "tensor_group"},
            None,
        ),
        (
            Form(BF16, Mxfp4(4, 32)),
            "mxfp4-pack-quantized",
            {"num_bits": 4, "type": "float", "group_size": 32, "strategy": "group"},
            None,
        ),
    ],
)
def test_every_format_has_its_arguments(
    form: Form, format_: str, weights: dict[str, Any], inputs: dict[str, Any] | None
) -> None:
    config = quantization_config(checkpoint({"a.fc1.weight": form}))
    (group,) = config["config_groups"].values()
    assert config["format"] == group["format"] == format_
    assert group["weights"].items() >= {**weights, "symmetric": True}.items()
    assert not {"scale_dtype", "zp_dtype"} & group["weights"].keys()
    if inputs is None:
        assert group["input_activations"] is None
    else:
        assert group["input_activations"].items() >= inputs.items()


def test_what_is_rare_is_named_and_stands_before_the_class() -> None:
    forms = {"0.fc1.weight": INT4, "0.fc2.weight": INT8, "1.fc1.weight": INT4}
    config = quantization_config(checkpoint(forms))
    assert config["format"] == "mixed-precision"
    groups = config["config_groups"]
    assert [(key, one["targets"], one["format"]) for key, one in groups.items()] == [
        ("group_0", ["0.fc2"], "int-quantized"),
        ("group_1", ["Linear"], "pack-quantized"),
    ]


def test_everything_linear_that_stays_dense_is_ignored() -> None:
    forms = {
        "model.embed_tokens.weight": PLAIN,
        "0.q_proj.weight": INT4,
        "0.mlp.gate.weight": PLAIN,
        "score.weight": PLAIN,
        "0.q_proj.bias": PLAIN,
    }
    assert quantization_config(checkpoint(forms))["ignore"] == ["0.mlp.gate", "score"]
    tied = quantization_config(checkpoint(forms, LLAMA))
    assert tied["ignore"] == ["0.mlp.gate", "score", "lm_head"]


@pytest.mark.parametrize(
    ("architecture", "beside", "head"),
    [
        ("BertForMaskedLM", "cls.predictions.bias", "cls.predictions.decoder"),
        ("RobertaForMaskedLM", "lm_head.dense.bias", "lm_head.decoder"),
        ("DistilBertForMaskedLM", "vocab_projector.bias", "vocab_projector"),
        ("Qwen3ForCausalLM", "model.norm.bias", "lm_head"),
    ],
)
def test_a_head_that_is_the_embedding_is_ignored_by_its_name(
    architecture: str, beside: str, head: str
) -> None:
    config = {"architectures": [architecture], "tie_word_embeddings": True}
    forms = {"0.fc1.weight": INT4, beside: PLAIN}
    assert quantization_config(checkpoint(forms, config))["ignore"] == [head]
    untied = {**config, "tie_word_embeddings": False}
    assert quantization_config(checkpoint(forms, untied))["ignore"] == []


def test_the_config_is_kept_and_only_4_bit_floats_change_its_dtype() -> None:
    layout = CompressedTensors()
    for form, dtype in ((INT4, "float32"), (Form(BF16, Nvfp4(4, 16)), "bfloat16")):
        found = checkpoint({"0.fc1.weight": form}, {**LLAMA, "compression_config": {"old": 1}})
        config = described(found)
        assert config.pop("quantization_config")
        assert config == {**LLAMA, "dtype": dtype}
        assert bool(layout.remarks(found)) == (dtype == "bfloat16")
    silent = checkpoint({"0.fc1.weight": Form(BF16, Mxfp4(4, 32))}, {"model_type": "x"})
    assert described(silent)["dtype"] == "bfloat16"


def reasons(found: Checkpoint, *, allow_unread: bool = False) -> list[tuple[str, str]]:
    said = CompressedTensors(allow_unread=allow_unread).accepts(found)
    assert all(one.hint for one in said)
    return [(one.name, one.reason) for one in said]


def test_parts_of_one_matrix_must_be_alike() -> None:
    alike = {f"0.{word}_proj.weight": INT4 for word in "qkv"}
    assert reasons(checkpoint(alike)) == []
    for other in (PLAIN, INT8):
        ((name, said),) = reasons(checkpoint({**alike, "0.v_proj.weight": other}))
        assert name == "0.q_proj.weight"
        assert "0.v_proj is " in said
    (refusal,) = CompressedTensors().accepts(checkpoint({**alike, "0.k_proj.weight": PLAIN}))
    assert "--ignore '*q_proj' --ignore '*k_proj' --ignore '*v_proj'" in str(refusal.hint)


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        (Integer(3, 128), "vLLM 0.33"),
        (Integer(4, 16), "vLLM 0.33"),
        (Integer(8, "tensor"), "vLLM 0.33"),
        (
            Integer(4, 128, symmetric=False),
            "transformers 5.23 with compressed-tensors 0.18 to 0.20",
        ),
    ],
)
def test_what_a_reader_refuses_is_written_only_if_that_is_asked_for(
    scheme: Integer, said: str
) -> None:
    found = checkpoint({"0.fc1.weight": Form(BF16, scheme)})
    ((_, reason),) = reasons(found)
    assert reason.startswith(said)
    assert reasons(found, allow_unread=True) == []
    assert CompressedTensors(allow_unread=True).remarks(found) == [reason]


def test_a_folder_with_a_config_is_needed() -> None:
    forms = {"0.fc1.weight": INT4}
    infos = checkpoint(forms).infos
    for found, said in (
        (Checkpoint(infos, forms, {}, is_folder=False), "one file"),
        (Checkpoint(infos, forms, None, is_folder=True), "no config.json"),
    ):
        ((_, reason),) = reasons(found)
        assert said in reason


def test_codes_of_a_tied_head_are_refused() -> None:
    ((name, said),) = reasons(checkpoint({"lm_head.weight": INT4}, LLAMA))
    assert (name, said[:24]) == ("lm_head.weight", "tie_word_embeddings is t")


def test_a_head_in_the_place_of_its_embedding_is_not_stored() -> None:
    layout, forms = CompressedTensors(), {"a.embed_tokens.weight": PLAIN, "lm_head.weight": PLAIN}
    aliases = {"lm_head.weight": "a.embed_tokens.weight"}
    assert layout.tied(checkpoint(forms, LLAMA, aliases=aliases)) == aliases
    assert layout.tied(checkpoint(forms, {}, aliases=aliases)) == {}
