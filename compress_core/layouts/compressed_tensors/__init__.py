"""compressed-tensors: what transformers and vLLM load. ``docs/compressed-tensors.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import PartSpec, Piece, Reader, Rows
from compress_core.layouts.base import Checkpoint, Layout
from compress_core.layouts.compressed_tensors import record
from compress_core.layouts.compressed_tensors.described import described, dtype_before, dtype_remark
from compress_core.layouts.compressed_tensors.fitness import refusals, unread
from compress_core.layouts.compressed_tensors.storage import Storage
from compress_core.layouts.compressed_tensors.storages import storage_for
from compress_core.limits import Limits
from compress_core.model import fused, may_be_linear, ties_embeddings
from compress_core.recorded import errors_text
from compress_core.tensors import Form, Refusal, TensorInfo

if TYPE_CHECKING:
    from compress_core.metrics import ErrorStats
    from compress_core.tiles import Tile

_WEIGHT = ".weight"


class CompressedTensors(Layout):
    """Codes of linear layers as compressed-tensors stores them, all else under its own name.

    What the codes are stands in ``config.json``, so the output is a checkpoint folder.
    """

    id: ClassVar[str] = "compressed-tensors"
    summary: ClassVar[str] = "checkpoint folders that transformers and vLLM load as they are"
    read_by: ClassVar[str] = "transformers (tested with 5.23), vLLM (by its source)"
    needs_config: ClassVar[bool] = True
    serves_presets: ClassVar[bool] = True
    records_inputs: ClassVar[bool] = True

    def limits(self, info: TensorInfo) -> Limits:
        refusal = (
            None if may_be_linear(info) else "only weights of linear layers are quantized in it"
        )
        return Limits(
            schemes=("integer", "fp8", "fp8-block", "nvfp4", "mxfp4"),
            center=False,
            bits=tuple(range(2, 9)),
            ragged_groups=False,
            refusal=refusal,
            joined=fused(info.name),
            scales_as_weights=True,
        )

    def fits(self, info: TensorInfo, form: Form) -> Refusal | None:
        if form.scheme is None or storage_for(form) is not None:
            return None
        return Refusal(info.name, f"no format of it holds {form}", "--layout packed")

    def accepts(self, checkpoint: Checkpoint) -> list[Refusal]:
        return list(refusals(checkpoint, allow_unread=self.allow_unread))

    def remarks(self, checkpoint: Checkpoint) -> list[str]:
        return [*unread(checkpoint), *dtype_remark(checkpoint)]

    def tied(self, checkpoint: Checkpoint) -> Mapping[str, str]:
        """Heads over the vocabulary, where the config says that they are the embedding."""
        if not ties_embeddings(checkpoint.config):
            return {}
        infos = checkpoint.infos
        return {
            name: owner
            for name, owner in checkpoint.aliases.items()
            if may_be_linear(infos[name]) and not may_be_linear(infos[owner])
        }

    def config(self, checkpoint: Checkpoint) -> Mapping[str, Any] | None:
        return described(checkpoint) if checkpoint.coded else checkpoint.config

    def parts(self, info: TensorInfo, form: Form) -> dict[str, PartSpec]:
        if form.scheme is None:
            return {info.name: PartSpec(info.dtype.code, info.shape, "rows")}
        local = _storage(form).parts(info.matrix, form.scheme)
        return {_part(info, name): spec for name, spec in local.items()}

    def row_multiple(self, info: TensorInfo, form: Form) -> int:
        return 1 if form.scheme is None else _storage(form).row_multiple(form.scheme)

    def encode(self, tile: Tile, form: Form) -> dict[str, Piece]:
        if tile.codes is None:
            return {tile.info.name: Rows(tile.start, tile.stored())}
        local = _storage(form).pieces(tile.start, tile.info.matrix, tile.codes)
        return {_part(tile.info, name): piece for name, piece in local.items()}

    def metadata(
        self,
        touched: Mapping[str, tuple[TensorInfo, Form]],
        aliases: Mapping[str, str],
        spec: Mapping[str, Any],
        version: str,
        config: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        # loaders of transformers 4 insist on the format
        return {"format": "pt"} | record.describe(
            touched, aliases, spec, version, dtype_before(config or {}, touched.values())
        )

    def measured(self, stats: Sequence[ErrorStats]) -> dict[str, str]:
        rows = ((s.error_square, s.reference_square, s.max_abs, s.zeros) for s in stats)
        return {record.ERRORS_KEY: errors_text(rows)}

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        from compress_core.layouts.compressed_tensors.reader import opened

        return opened(reader)


def _storage(form: Form) -> Storage:
    found = storage_for(form)
    if found is None:
        raise RuntimeError(f"no format for {form}")
    return found


def _part(info: TensorInfo, local: str) -> str:
    """``layer.weight`` and ``weight_scale`` → ``layer.weight_scale``."""
    return f"{info.name.removesuffix(_WEIGHT)}.{local}"
