"""Packed: our own layout, the smallest. ``docs/packed.md`` describes it byte by byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import Once, PartSpec, Piece, Reader, Rows, Stream
from compress_core.layouts.base import NOTHING, Layout
from compress_core.layouts.packed import record
from compress_core.layouts.packed.arrangement import Arrangement, Plain, arrangement, parts
from compress_core.recorded import errors_text
from compress_core.tensors import Form, TensorInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from compress_core.metrics import ErrorStats
    from compress_core.tiles import Quantized, Tile


class Packed(Layout):
    """Bit-packed codes, group parameters, and pruned tensors without their zeros."""

    id: ClassVar[str] = "packed"
    summary: ClassVar[str] = (
        "bit-packed codes and kept weights: the smallest, for storage and transfer"
    )
    read_by: ClassVar[str] = "modelopt restore"
    stem: ClassVar[str] = "model.packed"
    ties: ClassVar[bool] = True

    def parts(self, info: TensorInfo, form: Form) -> dict[str, PartSpec]:
        return parts(info, form, arrangement(info, form))

    def row_multiple(self, info: TensorInfo, form: Form) -> int:
        sparsity = form.sparsity
        return sparsity.height if sparsity is not None and sparsity.kind == "block" else 1

    def encode(self, tile: Tile, form: Form) -> dict[str, Piece]:
        chosen = arrangement(tile.info, form)
        local: dict[str, Piece]
        if tile.codes is None:
            if isinstance(chosen, Plain):
                return {tile.info.name: Rows(tile.start, tile.stored())}
            local = {"values": _values(chosen, chosen.compact(tile.stored(), tile), tile)}
        else:
            compact = chosen.compact(tile.codes.codes, tile)
            local = {"codes": _codes(chosen, compact, tile, tile.codes.scheme.bits)}
            local |= _parameters(tile.codes, chosen, tile)
        local |= chosen.index(tile)
        return {f"{tile.info.name}.{name}": piece for name, piece in local.items()}

    def metadata(
        self,
        touched: Mapping[str, tuple[TensorInfo, Form]],
        aliases: Mapping[str, str],
        spec: Mapping[str, Any],
        version: str,
        config: Mapping[str, Any] | None = None,
        strings: Mapping[str, str] = NOTHING,
    ) -> dict[str, str]:
        return record.describe(touched, aliases, spec, version)

    def measured(self, stats: Sequence[ErrorStats]) -> dict[str, str]:
        rows = ((s.error_square, s.reference_square, s.max_abs, s.zeros) for s in stats)
        return {record.ERRORS_KEY: errors_text(rows)}

    @classmethod
    def open(cls, reader: Reader) -> Reader | None:
        if not any(record.KEY in strings for strings in reader.metadata.values()):
            return None
        from compress_core.layouts.packed.reader import PackedReader

        return PackedReader(reader)


def _values(chosen: Arrangement, compact: NDArray[Any], tile: Tile) -> Piece:
    if chosen.placed == "rows":
        return Rows(tile.start, compact)
    return _stream(compact)


def _codes(chosen: Arrangement, compact: NDArray[Any], tile: Tile, bits: int) -> Piece:
    from compress_core.kernels.bits import pack

    if chosen.grid is None:
        return Stream(pack(compact[None, :], bits)[0], compact.size * bits)
    packed = pack(compact, bits)
    return Rows(tile.start, packed) if chosen.placed == "rows" else _stream(packed)


def _stream(array: NDArray[Any]) -> Stream:
    """All bytes of an array as the next piece of a stream."""
    import numpy as np

    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return Stream(flat, flat.size * 8)


def _parameters(quantized: Quantized, chosen: Arrangement, tile: Tile) -> dict[str, Piece]:
    from compress_core.layouts.packed.arrangement import is_whole, kept_mask

    kinds = quantized.scheme.parameters()
    pieces: dict[str, Piece] = {}
    for name, stored in _stored_parameters(quantized).items():
        if is_whole(kinds[name], quantized.scheme):
            if tile.start == 0:
                pieces[name] = Once(stored)
        elif kinds[name].span > 1:
            first, span = tile.start * stored.shape[1], kinds[name].span
            pieces[name] = Rows(first // span, stored.reshape(-1, 1)[::span])
        elif chosen.selects_rows:
            pieces[name] = _stream(stored[kept_mask(tile)[:, 0]])
        else:
            pieces[name] = Rows(tile.start, stored)
    return pieces


def _stored_parameters(quantized: Quantized) -> dict[str, NDArray[Any]]:
    """Parameters in the dtype in which they are stored: (rows, groups), or rows of packed codes."""
    from compress_core.kernels.bits import pack
    from compress_core.kernels.floats import narrow

    return {
        name: pack(quantized.parameters[name], kind.bits)
        if kind.bits
        else narrow(quantized.parameters[name], kind.dtype)
        for name, kind in quantized.scheme.parameters().items()
    }
