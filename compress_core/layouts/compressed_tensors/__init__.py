"""compressed-tensors: what transformers and vLLM load. ``docs/compressed-tensors.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from compress_core.container import Reader
from compress_core.layouts._served.fitness import (
    SOME_REFUSE,
    all_unread,
    fused_experts,
    heads_that_are_embeddings,
    usual_refusals,
)
from compress_core.layouts._served.layout import ServedLayout
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.compressed_tensors.described import described, dtype_before, dtype_remark
from compress_core.layouts.compressed_tensors.fitness import unread
from compress_core.layouts.compressed_tensors.storage import Storage
from compress_core.layouts.compressed_tensors.storages import storage_for
from compress_core.limits import Limits
from compress_core.model import fused, may_be_linear
from compress_core.tensors import Form, Refusal, TensorInfo


class CompressedTensors(ServedLayout):
    """Codes of linear layers as compressed-tensors stores them, all else under its own name.

    What the codes are stands in ``config.json``, so the output is a checkpoint folder.
    """

    id: ClassVar[str] = "compressed-tensors"
    summary: ClassVar[str] = "checkpoint folders that transformers and vLLM load as they are"
    read_by: ClassVar[str] = "transformers (tested with 5.23), vLLM (by its source)"
    records_inputs: ClassVar[bool] = True

    def limits(self, info: TensorInfo) -> Limits:
        refusal = (
            None if may_be_linear(info) else "only weights of linear layers are quantized in it"
        )
        return Limits(
            schemes=("integer", "fp8", "fp8-block", "nvfp4", "mxfp4"),
            # transformers takes them; vLLM's Marlin with 8-bit inputs divides by the largest scale
            negative_scale=False,
            center=False,
            bits=tuple(range(2, 9)),
            ragged_groups=False,
            refusal=refusal,
            joined=fused(info.name),
            scales_as_weights=True,
        )

    def serves(self, form: Form) -> bool:
        return True

    def storing(self, form: Form) -> Storage | None:
        return storage_for(form)

    def accepts(self, checkpoint: Checkpoint) -> list[Refusal]:
        return list(usual_refusals(checkpoint, unread, allow_unread=self.allow_unread))

    def readers(self, checkpoint: Checkpoint) -> str:
        return SOME_REFUSE if all_unread(checkpoint, unread) else self.read_by

    def remarks(self, checkpoint: Checkpoint) -> list[str]:
        said = [*all_unread(checkpoint, unread), *dtype_remark(checkpoint)]
        return [*said, *fused_experts(checkpoint)]

    def tied(self, checkpoint: Checkpoint) -> Mapping[str, str]:
        return heads_that_are_embeddings(checkpoint)

    def described(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return described(checkpoint)

    def config_before(
        self, config: Mapping[str, Any], touched: Mapping[str, tuple[TensorInfo, Form]]
    ) -> dict[str, Any]:
        return dtype_before(config, touched.values())

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        from compress_core.layouts.compressed_tensors.reader import opened

        return opened(reader)
