"""``quantization_config``: what a checkpoint says of its layers, to write.

Source: ``GPTQConfig`` of transformers 5.23 and optimum 2.3, ``GPTQConfig`` of vLLM 0.33. Zero
points are stored less one: ``checkpoint_format`` is that of the first version, which all read.
"""

from __future__ import annotations

from typing import Any

from compress_core.layouts._served.fitness import dense_layers
from compress_core.layouts._served.quantization import without_quantization
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.gptq.blocks import only, place_of

METHOD = "gptq"
# lists of blocks that optimum finds by itself, whatever the class that a model is loaded with
_KNOWN_BLOCKS = (
    *("transformer.h", "model.decoder.layers", "gpt_neox.layers", "model.layers"),
    *("model.language_model.layers", "h", "decoder.layers", "layers"),
)


def described(checkpoint: Checkpoint) -> dict[str, Any]:
    """``config.json`` with what its quantized layers are."""
    config = without_quantization(checkpoint.config or {})
    return {**config, "quantization_config": quantization_config(checkpoint)}


def quantization_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The description of all layers, which are alike."""
    scheme = next(iter(checkpoint.coded.values())).scheme
    if scheme is None:
        raise RuntimeError("nothing is quantized")
    size = scheme.group_size
    return {
        "quant_method": METHOD,
        "bits": scheme.bits,
        "group_size": size if isinstance(size, int) else -1,
        "sym": True,
        "desc_act": False,
        "checkpoint_format": "gptq",
        "pack_dtype": "int32",
        "lm_head": False,
        **_blocks(checkpoint),
    }


def _blocks(checkpoint: Checkpoint) -> dict[str, Any]:
    """Which blocks have codes, where readers cannot know it, and which layers of a block."""
    coded = [name.removesuffix(".weight") for name in checkpoint.coded]
    places = [place_of(module) for module in coded]
    lists = {place.blocks for place in places if place is not None}
    found: dict[str, Any] = {}
    if len(lists) == 1 and not lists & {*_KNOWN_BLOCKS}:
        found["block_name_to_quantize"] = next(iter(lists))
    layers = only(coded, dense_layers(checkpoint))
    return found if layers is None else found | {"modules_in_block_to_quantize": [layers]}
