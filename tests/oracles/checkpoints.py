"""Small checkpoints of real architectures with seeded weights, as transformers saves them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Model:
    """One checkpoint.

    :ivar kind: ``llama``, or ``bert`` (the encoder alone) or ``bert-lm`` (with its tied head).
    :ivar inner: width of the feed-forward layers; 320 is no multiple of 128.
    :ivar shard: largest bytes of a weight file.
    """

    kind: str
    dtype: str
    tied: bool = False
    inner: int = 384
    shard: int | None = None

    def save(self, folder: Path) -> Path:
        """Write the checkpoint."""
        import torch

        torch.manual_seed(7)
        made = self._llama() if self.kind == "llama" else self._bert()
        _spread(made)
        sharded = {} if self.shard is None else {"max_shard_size": self.shard}
        made.to(getattr(torch, self.dtype)).save_pretrained(folder, **sharded)
        (folder / "tokenizer.json").write_text('{"version": "1.0"}', encoding="utf-8")
        return folder

    def _llama(self) -> Any:
        from transformers import LlamaConfig, LlamaForCausalLM

        config = LlamaConfig(
            hidden_size=256,
            intermediate_size=self.inner,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            vocab_size=320,
            max_position_embeddings=64,
            tie_word_embeddings=self.tied,
        )
        return LlamaForCausalLM(config)

    def _bert(self) -> Any:
        from transformers import BertConfig, BertLMHeadModel, BertModel

        config = BertConfig(
            hidden_size=256,
            intermediate_size=self.inner,
            num_hidden_layers=2,
            num_attention_heads=4,
            vocab_size=320,
            max_position_embeddings=64,
            is_decoder=self.kind == "bert-lm",
        )
        return BertModel(config) if self.kind == "bert" else BertLMHeadModel(config)


def _spread(model: Any) -> None:
    """Give rows different magnitudes and some large weights, as trained layers have them."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter *= torch.rand(len(parameter), 1) + 0.5
                parameter.view(-1)[::997] *= 6


MODELS = {
    "llama bf16": Model("llama", "bfloat16"),
    "llama f32, tied, sharded": Model("llama", "float32", tied=True, shard=500_000),
    "llama f16, odd": Model("llama", "float16", inner=320),
    "llama bf16, tied, odd, sharded": Model("llama", "bfloat16", True, 320, 300_000),
    "bert f32, odd": Model("bert", "float32", inner=320),
    "bert bf16, sharded": Model("bert", "bfloat16", shard=300_000),
    "bert with head bf16": Model("bert-lm", "bfloat16", tied=True),
}
