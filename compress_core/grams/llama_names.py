"""What llama.cpp calls the weights of models that are built like Llama.

Source: ``MODEL_TENSOR.*`` of gguf-py/gguf/constants.py and the maps of
gguf-py/gguf/tensor_mapping.py of llama.cpp.
"""

from __future__ import annotations

import re

_IN_BLOCK = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_BLOCK = re.compile(r"blk\.(\d{1,6})\.(\w+)\.weight", re.ASCII)


def name_in_transformers(name: str) -> str | None:
    """The tensor in a checkpoint of transformers; ``None``: it is not in the table.

    Conversion to GGUF may turn rows of such weights, and never columns.
    """
    if name == "output.weight":
        return "lm_head.weight"
    found = _BLOCK.fullmatch(name)
    if found is None or found[2] not in _IN_BLOCK:
        return None
    return f"model.layers.{int(found[1])}.{_IN_BLOCK[found[2]]}.weight"
