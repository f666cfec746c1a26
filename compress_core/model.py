"""What names, shapes and ``config.json`` tell of a model: roles, and whether it is quantized.

The values of a ``config.json`` are anybody's JSON: any type may stand anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from compress_core.tensors import TensorInfo

Role = Literal["linear", "embedding", "other"]

PACKED = "modelopt packed"
"""What files of our own layout are called."""

# of the module path …
_PATCHES = re.compile(r"patch_embed")
_ROUTER = re.compile(
    r"(^|\.)(\w*router(\.|$)|(mlp|moe|block_sparse_moe|feed_forward)\.gate$|shared_expert_gate$)"
)
# … and of its last word, tried from top to bottom
_EMBEDDING = re.compile(
    r"(\w+_)?(embed|embeds|embd|emb|embedding|embeddings)(_(tokens|positions|in|out)\w*)?"
    r"|wte|wpe|shared|relative_attention_bias|lm_head"
)
_NORM_OR_CONVOLUTION = re.compile(r"\w*norm\w*|ln\d*|ln_\w+|bn\d*|\w*conv(\d+d?)?(_\d+)?")
_LINEAR = re.compile(
    r"proj|\w+_proj|c_attn|c_fc|\w*dense\w*|fc\d*|lin\d*|linear\w*|w\d|[qkvo]|qkv|query|key|value"
    r"|gate|up|down"
)
_CLASS_HEAD = re.compile(r"head|classifier|score|cls")

_TABLE_ROWS = ("vocab_size", "max_position_embeddings", "type_vocab_size")


def role(info: TensorInfo, config: Mapping[str, object] | None = None) -> Role:
    """What a tensor does in its model.

    ``linear``: the weight of a linear layer: a 2-D float ``*.weight`` that is none of the rest.
    ``embedding``: a table of a row for each token, position or type; the head over the vocabulary.
    ``other``: biases, norms, convolutions, patch embeddings, routers, heads over classes, and
    whatever is no float of 16 bits or more.

    :param config: the model's ``config.json``; it tells how many rows a table has.
    """
    module, _, last = info.name.rpartition(".")
    if last != "weight" or len(info.shape) != 2 or not info.dtype.is_weight:
        return "other"
    if _PATCHES.search(module) or _ROUTER.search(module):
        return "other"
    word = module.rpartition(".")[2]
    return _named(word) or _shaped(word, info.shape[0], config or {})


def _named(word: str) -> Role | None:
    if _EMBEDDING.fullmatch(word):
        return "embedding"
    if _NORM_OR_CONVOLUTION.fullmatch(word):
        return "other"
    return "linear" if _LINEAR.fullmatch(word) else None


def _shaped(word: str, rows: int, config: Mapping[str, object]) -> Role:
    if rows in _table_rows(config):
        return "embedding"
    return "other" if _CLASS_HEAD.fullmatch(word) else "linear"


def _table_rows(config: Mapping[str, object]) -> set[int]:
    """Numbers of rows that only a table has: a hidden size can equal the longest sequence."""
    rows: set[int] = set()
    widths: set[int] = set()
    for key, value in _settings(config):
        if isinstance(value, int) and not isinstance(value, bool):
            (rows if key in _TABLE_ROWS else widths).add(value)
    return rows - widths


def _settings(config: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The settings of a model and of the text model inside it."""
    yield from config.items()
    inner = config.get("text_config")
    if isinstance(inner, Mapping):
        yield from inner.items()


# what servers join to one matrix: its parts need the same number format, or none
_FUSED = (
    ("q_proj", "k_proj", "v_proj"),
    ("query", "key", "value"),
    ("gate_proj", "up_proj"),
    ("w1", "w3"),
    ("q_a_proj", "kv_a_proj_with_mqa"),
)
_OF_FUSED = {word: "+".join(words) for words in _FUSED for word in words}

# heads over the vocabulary whose data are the embedding's, below a module with data of its own
_TIED_HEADS = (
    "cls.predictions.decoder",
    "predictions.decoder",
    "lm_head.decoder",
    "vocab_projector",
    "generator_lm_head",
)
_WITH_LM_HEAD = ("CausalLM", "LMHeadModel", "ConditionalGeneration")


def fused(name: str) -> str | None:
    """The matrix that servers make of the weight ``name`` and its neighbours; ``None``: itself.

    Source: ``packed_modules_mapping`` of vLLM's models.
    """
    module = name.removesuffix(".weight")
    path, dot, word = module.rpartition(".")
    return f"{path}{dot}{_OF_FUSED[word]}" if word in _OF_FUSED else None


def ties_embeddings(config: Mapping[str, object] | None) -> bool:
    """Whether the head over the vocabulary shares the data of the embedding."""
    said = (value for key, value in _settings(config or {}) if key == "tie_word_embeddings")
    return any(value is True for value in said)


def bias_beside(name: str) -> str | None:
    """The bias of the layer whose weight is ``name``; ``None``: it is called like no weight."""
    module, _, last = name.rpartition(".")
    return f"{module}.bias" if last == "weight" and module else None


def weight_beside(name: str) -> str | None:
    """The weight of the layer whose bias is ``name``; ``None``: it is called like no bias."""
    module, _, last = name.rpartition(".")
    return f"{module}.weight" if last == "bias" and module else None


def may_be_linear(info: TensorInfo) -> bool:
    """Whether a tensor can be the weight of a linear layer, of whatever role: a head, a router."""
    module, _, last = info.name.rpartition(".")
    word = module.rpartition(".")[2]
    table = word != "lm_head" and _EMBEDDING.fullmatch(word) is not None
    return last == "weight" and len(info.shape) == 2 and not table


def tied_heads(infos: Mapping[str, TensorInfo], config: Mapping[str, object] | None) -> list[str]:
    """Modules of linear layers that are not in the file, since they share the embedding's data."""
    if not ties_embeddings(config):
        return []
    known = [head for head in _TIED_HEADS if _is_below(head, infos)]
    named = (config or {}).get("architectures")
    classes = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    if not known and any(word in one for one in classes for word in _WITH_LM_HEAD):
        known = ["lm_head"]
    return [head for head in known if f"{head}.weight" not in infos]


def _is_below(head: str, infos: Mapping[str, TensorInfo]) -> bool:
    """Whether a file has something of a head, or of the module that it belongs to."""
    begin = f"{head.rpartition('.')[0] or head}."
    return any(name.startswith(begin) for name in infos)


def quantized_as(
    infos: Mapping[str, TensorInfo],
    metadata: Mapping[str, str],
    config: Mapping[str, object] | None = None,
) -> str | None:
    """The scheme of a file whose weights are codes already, or ``None`` for plain weights.

    :param metadata: the ``__metadata__`` of the file.
    :param config: the model's ``config.json``.
    """
    if "modelopt.packed" in metadata:
        return PACKED
    return _said_by_config(config or {}) or _said_by_parts(infos) or _said_by_dtypes(infos)


def _said_by_config(config: Mapping[str, object]) -> str | None:
    for key, value in _settings(config):
        if not isinstance(value, Mapping):
            continue
        if key in ("quantization_config", "compression_config"):
            method = value.get("quant_method")
            if isinstance(method, str) and method:
                return method
            if key == "compression_config" and value:
                return "compressed-tensors"
        if key in ("quantization", "quantization_config"):
            if "quant_algo" in value:
                return "modelopt (NVIDIA)"
            if "bits" in value:
                return "mlx"
    return None


def _said_by_dtypes(infos: Mapping[str, TensorInfo]) -> str | None:
    for info in infos.values():
        if info.dtype.is_float and not info.dtype.is_weight:
            return f"{info.dtype} tensors"
    return None


Test = Callable[[TensorInfo, Sequence[TensorInfo]], bool]


def _anything(part: TensorInfo, beside: Sequence[TensorInfo]) -> bool:
    return True


def _codes(part: TensorInfo, beside: Sequence[TensorInfo]) -> bool:
    return part.dtype.kind in ("int", "uint")


def _words(part: TensorInfo, beside: Sequence[TensorInfo]) -> bool:
    return part.dtype.code == "U32"


def _packed_along_out(part: TensorInfo, beside: Sequence[TensorInfo]) -> bool:
    """AWQ packs codes as it packs zero points, GPTQ along the other side."""
    return part.shape[1:] == beside[0].shape[1:]


@dataclass(frozen=True)
class _Sign:
    """Parts that only one scheme writes side by side: ``X`` + ``part``, ``X`` + each ``beside``."""

    scheme: str
    part: str
    beside: tuple[str, ...] = ()
    test: Test = _anything

    def is_in(self, infos: Mapping[str, TensorInfo]) -> bool:
        return any(self._is_at(name, infos) for name in infos if name.endswith(self.part))

    def _is_at(self, name: str, infos: Mapping[str, TensorInfo]) -> bool:
        stem = name.removesuffix(self.part)
        beside = [infos[stem + other] for other in self.beside if stem + other in infos]
        return len(beside) == len(self.beside) and self.test(infos[name], beside)


# the first that is found is said: the particular stand above the general
_SIGNS = (
    _Sign("modelopt (NVIDIA)", ".weight_scale_2", (".weight",)),
    _Sign("compressed-tensors", ".weight_packed", (), _codes),
    _Sign("compressed-tensors", ".bitmask", (".compressed",)),
    _Sign("compressed-tensors", ".weight", (".weight_scale",), _codes),
    _Sign("fp8 in blocks", ".weight_scale_inv", (".weight",)),
    _Sign("gptq", ".qweight", (".g_idx",), _codes),
    _Sign("awq", ".qweight", (".qzeros", ".scales"), _packed_along_out),
    _Sign("gptq", ".qweight", (".qzeros", ".scales"), _codes),
    _Sign("bitsandbytes", ".absmax", (".quant_map",)),
    _Sign("bitsandbytes", ".weight", (".SCB",), _codes),
    _Sign("mlx", ".weight", (".scales",), _words),
    _Sign("mxfp4", "_blocks", ("_scales",), _codes),
    _Sign("quanto", "._data", ("._scale",)),
    _Sign("hqq", ".W_q", (".scale", ".zero")),
    _Sign("integers with scales", ".qweight", (".scale",), _codes),
    _Sign("integers with scales", ".weight", (".scale",), _codes),
)


def _said_by_parts(infos: Mapping[str, TensorInfo]) -> str | None:
    return next((sign.scheme for sign in _SIGNS if sign.is_in(infos)), None)
