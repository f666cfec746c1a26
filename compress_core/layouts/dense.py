"""Dense: plain values, as the passes leave them, under the original names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import PartSpec, Piece, Rows
from compress_core.layouts.base import NOTHING, Layout
from compress_core.tensors import Form, TensorInfo

if TYPE_CHECKING:
    from compress_core.tiles import Tile


class Dense(Layout):
    """What every loader reads. Zeros and rounded values take their full width: only a cast makes
    it smaller.
    """

    id: ClassVar[str] = "dense"
    summary: ClassVar[str] = "plain values, rounded, pruned or cast; only a cast saves bytes"
    read_by: ClassVar[str] = "any safetensors loader"
    keeps_values: ClassVar[bool] = True

    def parts(self, info: TensorInfo, form: Form) -> dict[str, PartSpec]:
        return {info.name: PartSpec(form.dtype.code, info.shape, "rows")}

    def encode(self, tile: Tile, form: Form) -> dict[str, Piece]:
        return {tile.info.name: Rows(tile.start, tile.stored())}

    def metadata(
        self,
        touched: Mapping[str, tuple[TensorInfo, Form]],
        aliases: Mapping[str, str],
        spec: Mapping[str, Any],
        version: str,
        config: Mapping[str, Any] | None = None,
        strings: Mapping[str, str] = NOTHING,
    ) -> dict[str, str]:
        return {}
