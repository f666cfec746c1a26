"""gptq: the container of AutoGPTQ and GPTQModel. ``docs/gptq.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from compress_core.container import Reader
from compress_core.layouts._served.fitness import (
    SOME_REFUSE,
    all_unread,
    fused_experts,
    heads_that_are_embeddings,
)
from compress_core.layouts._served.layout import ServedLayout
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.gptq.described import described
from compress_core.layouts.gptq.fitness import misfit, refusals, unread
from compress_core.layouts.gptq.words import Words
from compress_core.limits import Limits
from compress_core.model import fused
from compress_core.tensors import Form, Refusal, TensorInfo


class Gptq(ServedLayout):
    """Symmetric integers of linear layers in transposed words, all else under its own name.

    One kind of codes for all layers, since ``config.json`` has room for one.
    """

    id: ClassVar[str] = "gptq"
    summary: ClassVar[str] = "checkpoint folders of 4 and 8 bits for loaders of GPTQ"
    read_by: ClassVar[str] = (
        "transformers (tested with 5.23 and gptqmodel 7.7), vLLM (by its source)"
    )

    def limits(self, info: TensorInfo) -> Limits:
        return Limits(
            schemes=("integer",),
            scale_dtypes=("F16",),
            # vLLM's Marlin with 8-bit inputs divides by the largest scale
            negative_scale=False,
            zero_point=False,
            center=False,
            bits=(4, 8),
            ragged_groups=False,
            refusal=misfit(info, allow_unread=self.allow_unread),
            joined=fused(info.name),
        )

    def storing(self, form: Form) -> Words | None:
        found = Words()
        return found if found.holds(form) else None

    def accepts(self, checkpoint: Checkpoint) -> list[Refusal]:
        return list(refusals(checkpoint, allow_unread=self.allow_unread))

    def readers(self, checkpoint: Checkpoint) -> str:
        return SOME_REFUSE if all_unread(checkpoint, unread) else self.read_by

    def remarks(self, checkpoint: Checkpoint) -> list[str]:
        return [*all_unread(checkpoint, unread), *fused_experts(checkpoint)]

    def tied(self, checkpoint: Checkpoint) -> Mapping[str, str]:
        return heads_that_are_embeddings(checkpoint)

    def described(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return described(checkpoint)

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        from compress_core.layouts.gptq.reader import opened

        return opened(reader)
