"""MLX: what mlx-lm loads. ``docs/mlx.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from compress_core.container import Reader
from compress_core.layouts._served.fitness import (
    fused_experts,
    heads_that_are_embeddings,
    no_config,
    tied_head,
    transposed,
)
from compress_core.layouts._served.layout import ServedLayout
from compress_core.layouts.base import Checkpoint
from compress_core.layouts.mlx.described import described
from compress_core.layouts.mlx.fitness import misfit
from compress_core.layouts.mlx.modes import OWN, WIDTHS, Mode, mode_for
from compress_core.limits import Limits
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form, Refusal, TensorInfo


class Mlx(ServedLayout):
    """Codes of linear layers and embeddings as MLX stores them, all else under its own name.

    What the codes are stands in ``config.json``, so the output is a checkpoint folder.
    """

    id: ClassVar[str] = "mlx"
    summary: ClassVar[str] = "checkpoint folders that mlx-lm loads as they are, on Apple silicon"
    read_by: ClassVar[str] = "mlx-lm (tested with 0.32 and mlx 0.32)"
    format: ClassVar[str] = "mlx"

    def limits(self, info: TensorInfo) -> Limits:
        is_table = len(info.shape) == 2 and info.name.rpartition(".")[2] == "weight"
        return Limits(
            schemes=("affine", "integer", "mxfp4", "mxfp8", "nvfp4"),
            center=False,
            global_scale=False,
            bits=WIDTHS,
            ragged_groups=False,
            refusal=None if is_table else "only linear layers and embeddings are quantized in it",
            scales_as_weights=True,
        )

    def serves(self, form: Form) -> bool:
        return form.scheme is not None and form.scheme.id in OWN

    def storing(self, form: Form) -> Mode | None:
        return mode_for(form)

    def fits(self, info: TensorInfo, form: Form) -> Refusal | None:
        return misfit(info, form) or super().fits(info, form)

    def accepts(self, checkpoint: Checkpoint) -> list[Refusal]:
        return [*no_config(checkpoint), *tied_head(checkpoint), *transposed(checkpoint)]

    def remarks(self, checkpoint: Checkpoint) -> list[str]:
        return fused_experts(checkpoint)

    def tied(self, checkpoint: Checkpoint) -> Mapping[str, str]:
        return heads_that_are_embeddings(checkpoint)

    def hides_symmetry(self, form: Form) -> bool:
        return isinstance(form.scheme, Integer)

    def described(self, checkpoint: Checkpoint) -> dict[str, Any]:
        return described(checkpoint)

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        from compress_core.layouts.mlx.reader import opened

        return opened(reader)
