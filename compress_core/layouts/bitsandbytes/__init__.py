"""bitsandbytes: NF4 as transformers loads it. ``docs/bitsandbytes.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from compress_core.container import Reader
from compress_core.layouts._served.fitness import fused_experts, heads_that_are_embeddings
from compress_core.layouts._served.layout import ServedLayout
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.bitsandbytes.described import described
from compress_core.layouts.bitsandbytes.fitness import refusals
from compress_core.layouts.bitsandbytes.nibbles import Nibbles
from compress_core.limits import Limits
from compress_core.model import may_be_linear
from compress_core.tensors import Form, Refusal, TensorInfo


class BitsAndBytes(ServedLayout):
    """NF4 codes of linear layers as bitsandbytes stores them, all else under its own name.

    The library cuts the flattened weight into blocks; here they are groups of columns, so a layer
    whose width they do not divide stays dense. Its scales are magnitudes: none is below zero. What
    readers join to one matrix keeps records of its own.
    """

    id: ClassVar[str] = "bitsandbytes"
    summary: ClassVar[str] = "checkpoint folders in NF4 that transformers loads with bitsandbytes"
    read_by: ClassVar[str] = "transformers (tested with 5.23 and bitsandbytes 0.50)"

    def limits(self, info: TensorInfo) -> Limits:
        refusal = (
            None if may_be_linear(info) else "only weights of linear layers are quantized in it"
        )
        return Limits(
            schemes=("nf4", "nf4-double"),
            scale_dtypes=("F32",),
            negative_scale=False,
            zero_point=False,
            center=False,
            bits=(4,),
            ragged_groups=False,
            refusal=refusal,
        )

    def serves(self, form: Form) -> bool:
        return self.storing(form) is not None

    def storing(self, form: Form) -> Nibbles | None:
        found = Nibbles(form.dtype.code)
        return found if found.holds(form) else None

    def fits(self, info: TensorInfo, form: Form) -> Refusal | None:
        if form.scheme is None or self.storing(form) is not None:
            return None
        return Refusal(info.name, f"it has no blocks for {form}", "--group-size 64")

    def accepts(self, checkpoint: Checkpoint) -> list[Refusal]:
        return list(refusals(checkpoint))

    def remarks(self, checkpoint: Checkpoint) -> list[str]:
        return fused_experts(checkpoint)

    def tied(self, checkpoint: Checkpoint) -> Mapping[str, str]:
        return heads_that_are_embeddings(checkpoint)

    def described(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return described(checkpoint)

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        from compress_core.layouts.bitsandbytes.reader import opened

        return opened(reader)
