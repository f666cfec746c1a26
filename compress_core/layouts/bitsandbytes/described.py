"""``quantization_config``: what a checkpoint says of its layers, to write.

Source: ``BitsAndBytesConfig`` of transformers 5.23. Readers make every linear layer one of 4 bits
that ``llm_int8_skip_modules`` does not name.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from compress_core.layouts._served.fitness import dense_layers
from compress_core.layouts._served.quantization import without_quantization
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.bitsandbytes.state import dtype_name
from compress_core.schemes.nf4_double import Nf4Double

METHOD = "bitsandbytes"


def described(checkpoint: Checkpoint) -> dict[str, Any]:
    """``config.json`` with what its quantized layers are."""
    config = without_quantization(checkpoint.config or {})
    return {**config, "quantization_config": quantization_config(checkpoint)}


def quantization_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """The description of all layers; they are computed in the dtype that most of them had."""
    schemes = (form.scheme for form in checkpoint.coded.values())
    doubled = any(isinstance(scheme, Nf4Double) for scheme in schemes)
    dtypes = Counter(form.dtype.code for form in checkpoint.coded.values())
    return {
        "quant_method": METHOD,
        "load_in_4bit": True,
        "load_in_8bit": False,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": doubled,
        "bnb_4bit_compute_dtype": dtype_name(dtypes.most_common(1)[0][0]),
        "bnb_4bit_quant_storage": "uint8",
        "llm_int8_enable_fp32_cpu_offload": False,
        "llm_int8_has_fp16_weight": False,
        "llm_int8_skip_modules": dense_layers(checkpoint),
        "llm_int8_threshold": 6.0,
    }
