"""Roles of tensors, and files whose weights are codes already."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core import model
from compress_core.dtypes import DTYPES
from compress_core.model import quantized_as, role
from compress_core.tensors import TensorInfo

Header = Mapping[str, tuple[str, tuple[int, ...]]]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ("vocab_size", "text_config", "quantization", "quantization_config", "compression_config")
)


def infos(header: Header) -> dict[str, TensorInfo]:
    """Tensors from name → (dtype, shape)."""
    return {
        name: TensorInfo(name, DTYPES[code], shape, 0) for name, (code, shape) in header.items()
    }


def read_header(path: Path) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    """The tensors and the metadata of a safetensors file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    return infos({name: (of["dtype"], tuple(of["shape"])) for name, of in header.items()}), metadata


LLAMA = {"vocab_size": 32000, "hidden_size": 4096, "max_position_embeddings": 4096}
BERT = {"vocab_size": 30522, "hidden_size": 384, "max_position_embeddings": 512}
BERT_TYPES = {**BERT, "type_vocab_size": 2}

# name, rows, columns, config, role
ROLES: list[tuple[str, int, int, dict[str, Any] | None, str]] = [
    ("model.embed_tokens.weight", 32000, 4096, LLAMA, "embedding"),
    ("model.layers.0.self_attn.q_proj.weight", 4096, 4096, LLAMA, "linear"),
    ("model.layers.0.mlp.down_proj.weight", 4096, 11008, LLAMA, "linear"),
    ("model.layers.0.mlp.gate_proj.weight", 11008, 4096, None, "linear"),
    ("lm_head.weight", 32000, 4096, LLAMA, "embedding"),
    ("lm_head.weight", 32000, 4096, None, "embedding"),
    ("output.weight", 32000, 4096, LLAMA, "embedding"),
    ("output.weight", 10, 64, None, "linear"),
    ("tok_embeddings.weight", 32000, 4096, None, "embedding"),
    ("layers.0.feed_forward.w1.weight", 11008, 4096, LLAMA, "linear"),
    ("model.language_model.embed_tokens_per_layer.weight", 100, 8, None, "embedding"),
    ("bert.embeddings.word_embeddings.weight", 30522, 384, None, "embedding"),
    ("bert.embeddings.position_embeddings.weight", 512, 384, None, "embedding"),
    ("bert.embeddings.token_type_embeddings.weight", 2, 384, None, "embedding"),
    ("bert.encoder.layer.0.attention.self.query.weight", 384, 384, BERT, "linear"),
    ("bert.encoder.layer.0.output.dense.weight", 384, 1536, BERT, "linear"),
    ("bert.pooler.dense.weight", 384, 384, BERT, "linear"),
    ("cls.predictions.decoder.weight", 30522, 384, BERT, "embedding"),
    ("bert.embeddings.positions.weight", 512, 384, BERT, "embedding"),
    ("bert.embeddings.types.weight", 2, 384, BERT_TYPES, "embedding"),
    ("classifier.weight", 2, 384, BERT, "other"),
    ("score.weight", 2, 384, None, "other"),
    ("albert.encoder.embedding_hidden_mapping_in.weight", 768, 128, None, "linear"),
    ("transformer.wte.weight", 50257, 768, None, "embedding"),
    ("transformer.wpe.weight", 1024, 768, None, "embedding"),
    ("transformer.h.0.attn.c_attn.weight", 768, 2304, None, "linear"),
    ("shared.weight", 32128, 512, None, "embedding"),
    ("encoder.block.0.layer.0.SelfAttention.q.weight", 512, 512, None, "linear"),
    ("encoder.block.0.SelfAttention.relative_attention_bias.weight", 32, 8, None, "embedding"),
    ("gpt_neox.embed_in.weight", 50432, 512, None, "embedding"),
    ("embed_out.weight", 50432, 512, None, "embedding"),
    ("model.layers.0.mlp.gate.weight", 64, 2048, None, "other"),
    ("model.layers.0.block_sparse_moe.gate.weight", 8, 4096, None, "other"),
    ("model.layers.0.mlp.router.weight", 32, 2880, None, "other"),
    ("encoder.block.1.layer.1.mlp.router.classifier.weight", 8, 768, None, "other"),
    ("model.layers.0.mlp.shared_expert_gate.weight", 1, 2048, None, "other"),
    ("model.layers.0.mlp.experts.3.up_proj.weight", 1408, 2048, None, "linear"),
    ("visual.patch_embed.proj.weight", 1280, 1176, None, "other"),
    ("vision_model.patch_embedding.linear.weight", 1408, 588, None, "other"),
    ("x.norm.weight", 8, 8, None, "other"),
    ("x.ln_1.weight", 8, 8, None, "other"),
    ("x.conv1.weight", 8, 8, None, "other"),
    ("time_embedding.linear_1.weight", 1280, 320, None, "linear"),
    ("head.decoder_ffns.0.down.weight", 64, 96, None, "linear"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "rows", "columns", "config", "expected"), ROLES)
def test_roles_of_known_models(
    name: str, rows: int, columns: int, config: dict[str, Any] | None, expected: str
) -> None:
    assert role(TensorInfo(name, DTYPES["BF16"], (rows, columns), 0), config) == expected


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [
        ("model.layers.0.mlp.down_proj.bias", "F32", (8, 8)),
        ("model.layers.0.mlp.down_proj.weight", "F32", (8,)),
        ("model.layers.0.mlp.down_proj.weight", "F32", (8, 8, 1)),
        ("model.layers.0.mlp.down_proj.weight", "I32", (8, 8)),
        ("model.layers.0.mlp.down_proj.weight", "F8_E4M3", (8, 8)),
        ("model.embed_tokens.weight", "I8", (8, 8)),
        ("lstm_cell.weight_ih", "F32", (512, 128)),
        ("weights", "F32", (8, 8)),
    ],
)
def test_what_is_no_float_matrix_called_weight_is_other(
    name: str, dtype: str, shape: tuple[int, ...]
) -> None:
    assert role(TensorInfo(name, DTYPES[dtype], shape, 0), LLAMA) == "other"


def test_a_lone_weight_is_a_linear_layer() -> None:
    assert role(TensorInfo("weight", DTYPES["F32"], (8, 8), 0)) == "linear"


def test_the_text_model_inside_a_config_counts() -> None:
    config = {"text_config": {"vocab_size": 77, "hidden_size": 8}}
    assert role(TensorInfo("x.tokens.weight", DTYPES["F32"], (77, 8), 0), config) == "embedding"


@pytest.mark.parametrize("rows", ["77", 77.0, True, None, [77], {"a": 77}])
def test_rows_that_are_no_integer_tell_nothing(rows: object) -> None:
    config = {"vocab_size": rows, "text_config": rows}
    assert role(TensorInfo("x.tokens.weight", DTYPES["F32"], (77, 8), 0), config) == "linear"


@given(st.dictionaries(KEYS, JSON))
def test_a_config_may_hold_anything(config: dict[str, object]) -> None:
    tensors = infos({"x.weight": ("F32", (8, 8))})
    assert role(tensors["x.weight"], config) in ("linear", "embedding", "other")
    quantized_as(tensors, {}, config)


SCHEMES: list[tuple[str, Header]] = [
    (
        "compressed-tensors",
        {
            "x.weight_packed": ("I32", (8, 2)),
            "x.weight_scale": ("BF16", (8, 1)),
            "x.weight_shape": ("I64", (2,)),
        },
    ),
    ("compressed-tensors", {"x.weight": ("I8", (8, 8)), "x.weight_scale": ("F32", (8, 1))}),
    ("compressed-tensors", {"x.weight_packed": ("U8", (8, 4)), "x.weight_scale": ("U8", (8, 1))}),
    ("compressed-tensors", {"x.compressed": ("F16", (9,)), "x.bitmask": ("U8", (8, 1))}),
    ("fp8 in blocks", {"x.weight": ("F8_E4M3", (8, 8)), "x.weight_scale_inv": ("F32", (1, 1))}),
    ("F8_E4M3 tensors", {"x.weight": ("F8_E4M3", (8, 8)), "x.weight_scale": ("F32", (1,))}),
    ("F8_E5M2 tensors", {"x.weight": ("F8_E5M2", (8, 8))}),
    ("F4 tensors", {"x.weight": ("F4", (8, 8))}),
    (
        "gptq",
        {
            "x.qweight": ("I32", (8, 64)),
            "x.qzeros": ("I32", (1, 8)),
            "x.scales": ("F16", (1, 64)),
            "x.g_idx": ("I32", (64,)),
        },
    ),
    (
        "gptq",
        {
            "x.qweight": ("I32", (8, 64)),
            "x.qzeros": ("I32", (1, 8)),
            "x.scales": ("F16", (1, 64)),
        },
    ),
    (
        "awq",
        {
            "x.qweight": ("I32", (64, 8)),
            "x.qzeros": ("I32", (1, 8)),
            "x.scales": ("F16", (1, 64)),
        },
    ),
    (
        "bitsandbytes",
        {
            "x.weight": ("U8", (32, 1)),
            "x.weight.absmax": ("F32", (1,)),
            "x.weight.quant_map": ("F32", (16,)),
            "x.weight.quant_state.bitsandbytes__nf4": ("U8", (99,)),
        },
    ),
    ("bitsandbytes", {"x.weight": ("I8", (8, 8)), "x.SCB": ("F32", (8,))}),
    (
        "mlx",
        {
            "x.weight": ("U32", (8, 8)),
            "x.scales": ("BF16", (8, 1)),
            "x.biases": ("BF16", (8, 1)),
        },
    ),
    ("mlx", {"x.weight": ("U32", (8, 8)), "x.scales": ("U8", (8, 2))}),
    (
        "modelopt (NVIDIA)",
        {
            "x.weight": ("U8", (8, 4)),
            "x.weight_scale": ("F8_E4M3", (8, 1)),
            "x.weight_scale_2": ("F32", ()),
        },
    ),
    (
        "mxfp4",
        {
            "x.experts.down_proj_blocks": ("U8", (2, 8, 1, 16)),
            "x.experts.down_proj_scales": ("U8", (2, 8, 1)),
        },
    ),
    ("quanto", {"x.weight._data": ("I8", (8, 8)), "x.weight._scale": ("F32", (8, 1))}),
    ("hqq", {"x.W_q": ("U8", (4, 8)), "x.scale": ("F16", (8,)), "x.zero": ("F16", (8,))}),
    ("integers with scales", {"x.qweight": ("I8", (8, 8)), "x.scale": ("F32", (8, 1))}),
    ("integers with scales", {"x.weight": ("I8", (8, 8)), "x.scale": ("F32", (8, 1))}),
]


@pytest.mark.parametrize(("scheme", "header"), SCHEMES)
def test_parts_tell_the_scheme(scheme: str, header: Header) -> None:
    plain: Header = {"a.norm.weight": ("F32", (8,)), "a.weight": ("F32", (8, 8))}
    assert quantized_as(infos({**plain, **header}), {}) == scheme


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"x.weight": ("F32", (8, 8)), "x.bias": ("F32", (8,))},
        {
            "bn.weight": ("F32", (8,)),
            "bn.running_mean": ("F32", (8,)),
            "bn.running_var": ("F32", (8,)),
            "bn.num_batches_tracked": ("I64", ()),
        },
        {"embeddings.position_ids": ("I64", (1, 512)), "embeddings.weight": ("F32", (512, 8))},
        {"norm.scale": ("F32", (8,)), "norm.bias": ("F32", (8,)), "norm.weight": ("F32", (8,))},
        {"x.weight": ("F32", (8, 8)), "x.scales": ("F32", (8,)), "x.weight_scale": ("F32", (1,))},
        {"attn.relative_position_index": ("I64", (49, 49)), "attn.scale": ("F32", ())},
        {"attn.mask": ("BOOL", (8, 8)), "x.g_idx": ("F32", (8,)), "down_blocks": ("F32", (2,))},
        {"unet.down_blocks": ("F32", (8, 8)), "unet.down_scales": ("F32", (8,))},
        {"weight_packed": ("F32", (8, 8))},
    ],
)
def test_plain_weights_are_not_taken_for_codes(header: Header) -> None:
    assert quantized_as(infos(header), {"format": "pt", "quantization": "none"}) is None


@pytest.mark.parametrize(
    ("config", "scheme"),
    [
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
        ({"quantization_config": {"quant_method": "compressed-tensors"}}, "compressed-tensors"),
        ({"text_config": {"quantization_config": {"quant_method": "fp8"}}}, "fp8"),
        ({"compression_config": {"format": "pack-quantized"}}, "compressed-tensors"),
        ({"quantization": {"group_size": 64, "bits": 4, "mode": "affine"}}, "mlx"),
        ({"quantization_config": {"group_size": 64, "bits": 4}}, "mlx"),
        ({"quantization": {"quant_algo": "NVFP4"}}, "modelopt (NVIDIA)"),
        ({"quantization_config": {}}, None),
        ({"quantization_config": None, "quantization": "none"}, None),
        ({"quantization_config": {"quant_method": ["gptq"]}}, None),
        ({"quantization": []}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_config_tells_the_scheme(config: dict[str, object] | None, scheme: str | None) -> None:
    assert quantized_as(infos({"x.weight": ("F32", (8, 8))}), {}, config) == scheme


def test_our_own_files_are_known_by_their_metadata() -> None:
    assert quantized_as({}, {"modelopt.packed": "1"}) == "modelopt packed"


@pytest.mark.parametrize("name", ["fracast.safetensors", "silero_vad_16k.safetensors"])
def test_real_files_of_plain_weights(samples: Path, name: str) -> None:
    assert quantized_as(*read_header(samples / name)) is None


def test_a_real_file_of_integers(samples: Path) -> None:
    assert (
        quantized_as(*read_header(samples / "fracast.int8.safetensors")) == "integers with scales"
    )


def test_roles_in_a_real_file(samples: Path) -> None:
    tensors, _ = read_header(samples / "fracast.safetensors")
    config = json.loads((samples / "fracast.config.json").read_text())
    linear = {name for name, info in tensors.items() if role(info, config) == "linear"}
    assert linear == {
        name for name, info in tensors.items() if name.endswith(".weight") and len(info.shape) == 2
    }
    assert len(linear) == 15


def _weight(name: str, *shape: int) -> TensorInfo:
    return TensorInfo(name, DTYPES["F32"], shape or (8, 8), 256)


def test_weights_that_servers_join_have_one_name() -> None:
    joined = {model.fused(f"a.0.{word}_proj.weight") for word in "qkv"}
    assert len(joined) == 1
    assert model.fused("a.0.q_proj.weight") != model.fused("a.1.q_proj.weight")
    assert model.fused("a.0.gate_proj.weight") == model.fused("a.0.up_proj.weight") is not None
    assert model.fused("a.0.o_proj.weight") is None


@pytest.mark.parametrize(
    ("name", "shape", "may"),
    [
        ("lm_head.weight", (8, 8), True),
        ("a.mlp.gate.weight", (8, 8), True),
        ("a.embed_tokens.weight", (8, 8), False),
        ("a.fc1.weight", (8, 8, 8), False),
        ("a.fc1.scale", (8, 8), False),
    ],
)
def test_what_may_be_a_linear_layer(name: str, shape: tuple[int, ...], may: bool) -> None:
    assert model.may_be_linear(_weight(name, *shape)) == may


@pytest.mark.parametrize(
    ("config", "ties"),
    [
        (None, False),
        ({"tie_word_embeddings": True}, True),
        ({"tie_word_embeddings": "yes"}, False),
        ({"text_config": {"tie_word_embeddings": True}}, True),
        ({"tie_word_embeddings": False}, False),
    ],
)
def test_whether_a_head_is_tied(config: dict[str, object] | None, ties: bool) -> None:
    assert model.ties_embeddings(config) == ties


@pytest.mark.parametrize(
    ("weight", "bias"),
    [("a.0.fc.weight", "a.0.fc.bias"), ("weight", None), ("fc.scale", None)],
)
def test_the_bias_of_a_layer_is_named_as_its_weight(weight: str, bias: str | None) -> None:
    assert model.bias_beside(weight) == bias
    if bias is not None:
        assert model.weight_beside(bias) == weight
        assert model.weight_beside(weight) is None
