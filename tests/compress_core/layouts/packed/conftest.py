"""Tensors in every form that the packed layout stores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core.dtypes import DTYPES
from compress_core.kernels import floats
from compress_core.kernels.ranking import smallest_of_groups
from compress_core.schemes.base import Scheme
from compress_core.tensors import Form, Structure, TensorInfo
from compress_core.tiles import Quantized, Tile


@dataclass(frozen=True)
class Example:
    """One tensor, pruned and quantized as a whole, and a way to cut it into tiles."""

    info: TensorInfo
    form: Form
    raw: NDArray[Any]
    mask: NDArray[np.bool_] | None
    codes: Quantized | None

    def tiles(self, step: int) -> list[Tile]:
        """Tiles of ``step`` rows."""
        return [self.tile(start, start + step) for start in range(0, max(1, len(self.raw)), step)]

    def tile(self, start: int, stop: int) -> Tile:
        """Some rows."""
        tile = Tile(self.info, start, self.raw[start:stop], max(1, stop - start))
        if self.mask is not None:
            tile.prune(self.mask[start:stop])
        if self.codes is not None:
            found = self.codes.parameters
            kinds = self.codes.scheme.parameters()
            if self.codes.scheme.group_size != "tensor":
                found = {
                    name: value if kinds[name].whole else value[start:stop]
                    for name, value in found.items()
                }
            tile.quantize(Quantized(self.codes.scheme, self.codes.codes[start:stop], found))
        return tile

    @property
    def stored(self) -> NDArray[Any]:
        """What a reader gets."""
        return self.tile(0, len(self.raw)).stored()


def pruned(matrix: tuple[int, int], structure: Structure, share: float) -> NDArray[np.bool_]:
    """A random mask of a structure."""
    rows, columns = matrix
    rng = np.random.default_rng(rows * 100 + columns)
    if structure.kind == "nofm":
        keys = rng.integers(0, 1 << 30, matrix).astype(np.uint32)
        return smallest_of_groups(keys, structure.height, structure.width)
    if structure.kind == "row":
        return np.broadcast_to(rng.random((rows, 1)) < share, matrix).copy()
    if structure.kind == "column":
        return np.broadcast_to(rng.random((1, columns)) < share, matrix).copy()
    high, wide = structure.height, structure.width
    grid = rng.random((-(-rows // high), -(-columns // wide))) < share
    return np.repeat(np.repeat(grid, high, axis=0), wide, axis=1)[:rows, :columns]


@pytest.fixture(scope="session")
def example() -> Callable[..., Example]:
    """``example(shape, code, structure, scheme, share=…)``: a tensor called ``w``."""

    def make(
        shape: Sequence[int],
        code: str,
        structure: str | None,
        scheme: Scheme | None,
        *,
        share: float = 0.6,
        name: str = "w",
    ) -> Example:
        values = np.random.default_rng(7).normal(size=tuple(shape)).astype(np.float32)
        raw = floats.narrow(values, code)
        info = TensorInfo(name, DTYPES[code], tuple(shape), raw.nbytes)
        raw = raw.reshape(info.matrix)
        form = Form(info.dtype, moved=structure is None and scheme is None)
        mask, codes = None, None
        if structure is not None:
            parsed = Structure.parse(structure)
            mask = pruned(info.matrix, parsed, share)
            form = replace(form, sparsity=parsed, kept=int(np.count_nonzero(~mask)))
        if scheme is not None:
            form = replace(form, scheme=scheme)
            tile = Tile(info, 0, raw, 1)
            if mask is not None:
                tile.prune(mask)
            found = fitted(scheme, tile)
            codes = Quantized(scheme, scheme.encode(tile.values, found), found)
        return Example(info, form, raw, mask, codes)

    return make


def fitted(scheme: Scheme, tile: Tile) -> dict[str, NDArray[Any]]:
    """Parameters of all groups."""
    if scheme.group_size != "tensor":
        return scheme.fit(tile.values, tile.mask)
    mask = None if tile.mask is None else tile.mask.reshape(1, -1)
    return scheme.fit(tile.values.reshape(1, -1), mask)
