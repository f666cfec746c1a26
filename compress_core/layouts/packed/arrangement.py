"""Where the kept elements of a pruned tensor stand, and what tells their places.

Every arrangement stores kept elements in row-major order, so that one rule brings them back: the
i-th stored element belongs to the i-th true place of the kept mask.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress_core.container import Once, PartSpec, Piece, Placed, Rows, Stream
from compress_core.layouts.packed.runs import Run, runs
from compress_core.schemes.base import Parameter, Scheme
from compress_core.tensors import ELEMENT, Form, Structure, TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Tile

MAX_RANKED = 16
"""Widest N:M group that gets ranks; beyond it a bitmask is as good."""


def entry_bytes(name: str) -> int:
    """Bytes that one more part of tensor ``name`` costs at the most.

    Its entry in the header and, of a sharded folder, its line in the index: both hold the name. An
    index part that saves less is not worth it, and would break the upper bound of a plan.
    """
    return 200 + 2 * len(json.dumps(name, ensure_ascii=False).encode("utf-8"))


def row_bytes(columns: int, bits: int) -> int:
    """Bytes of a row of ``columns`` codes (without NumPy: sizes come from headers alone)."""
    return (columns * bits + 7) // 8


@dataclass(frozen=True)
class Arrangement(ABC):
    """One way to store the kept elements of a (rows, columns) matrix.

    :ivar kept: number of kept elements (an upper bound in a plan).
    """

    matrix: tuple[int, int]
    structure: Structure
    kept: int

    @property
    @abstractmethod
    def grid(self) -> tuple[int, int] | None:
        """(rows, columns) of the kept elements; ``None``: rows differ in length, one stream."""

    @property
    def placed(self) -> Placed:
        """How tiles deliver kept elements."""
        return "rows" if self.grid else "stream"

    @property
    def parameter_rows(self) -> int:
        """Rows that have group parameters."""
        return self.matrix[0]

    @property
    def selects_rows(self) -> bool:
        """Whether whole rows are left out, together with their parameters."""
        return False

    @abstractmethod
    def index_parts(self) -> dict[str, PartSpec]:
        """Parts that tell the places, by local name."""

    @abstractmethod
    def index(self, tile: Tile) -> dict[str, Piece]:
        """What a tile adds to the index parts."""

    @abstractmethod
    def compact(self, array: NDArray[Any], tile: Tile) -> NDArray[Any]:
        """The kept ones of (rows, columns) elements: 2-D where there is a grid, else 1-D."""

    def data_part(self, dtype: str, bits: int | None) -> PartSpec:
        """The part of the kept elements: codes of ``bits``, or values of ``dtype``."""
        if bits is None:
            return PartSpec(dtype, self.grid or (self.kept,), self.placed)
        if self.grid is None:
            return PartSpec("U8", (row_bytes(self.kept, bits),), "stream")
        return PartSpec("U8", (self.grid[0], row_bytes(self.grid[1], bits)), self.placed)

    def nbytes(self, name: str, dtype: str, bits: int | None) -> int:
        """Bytes of elements and index, and what the index costs elsewhere.

        :param name: of the tensor; ``dtype``: of its values.
        """
        entry = entry_bytes(name)
        index = sum(part.nbytes + entry for part in self.index_parts().values())
        return index + self.data_part(dtype, bits).nbytes


class Plain(Arrangement):
    """Every element, the pruned ones as zeros."""

    @property
    def grid(self) -> tuple[int, int]:
        return self.matrix

    def index_parts(self) -> dict[str, PartSpec]:
        return {}

    def index(self, tile: Tile) -> dict[str, Piece]:
        return {}

    def compact(self, array: NDArray[Any], tile: Tile) -> NDArray[Any]:
        return array


class Scattered(Arrangement):
    """One bit an element, or a block; kept elements as one stream."""

    @property
    def grid(self) -> None:
        return None

    @property
    def _units(self) -> tuple[int, int]:
        high, wide = (self.structure.height, self.structure.width) if self._blocks else (1, 1)
        return -(-self.matrix[0] // high), -(-self.matrix[1] // wide)

    @property
    def _blocks(self) -> bool:
        return self.structure.kind == "block"

    def index_parts(self) -> dict[str, PartSpec]:
        rows, columns = self._units
        return {"mask": PartSpec("U8", (rows, row_bytes(columns, 1)), "rows")}

    def index(self, tile: Tile) -> dict[str, Piece]:
        from compress_core.kernels.bits import pack_mask

        high, wide = (self.structure.height, self.structure.width) if self._blocks else (1, 1)
        kept = kept_mask(tile)[::high, ::wide]
        return {"mask": Rows(tile.start // high, pack_mask(kept))}

    def compact(self, array: NDArray[Any], tile: Tile) -> NDArray[Any]:
        return kept_elements(array, tile)


class KeptRows(Arrangement):
    """One bit a row; kept rows, and their parameters, one after the other."""

    @property
    def grid(self) -> tuple[int, int]:
        return self.kept // max(self.matrix[1], 1), self.matrix[1]

    @property
    def placed(self) -> Placed:
        return "stream"

    @property
    def parameter_rows(self) -> int:
        return self.grid[0]

    @property
    def selects_rows(self) -> bool:
        return True

    def index_parts(self) -> dict[str, PartSpec]:
        return {"mask": PartSpec("U8", (row_bytes(self.matrix[0], 1),), "stream")}

    def index(self, tile: Tile) -> dict[str, Piece]:
        from compress_core.kernels.bits import pack_mask

        kept = kept_mask(tile)[:, 0]
        return {"mask": Stream(pack_mask(kept), len(kept))}

    def compact(self, array: NDArray[Any], tile: Tile) -> NDArray[Any]:
        kept: NDArray[Any] = array[kept_mask(tile)[:, 0]]
        return kept


class KeptColumns(Arrangement):
    """One bit a column; of every row the kept columns."""

    @property
    def grid(self) -> tuple[int, int]:
        return self.matrix[0], self.kept // max(self.matrix[0], 1)

    def index_parts(self) -> dict[str, PartSpec]:
        return {"mask": PartSpec("U8", (row_bytes(self.matrix[1], 1),), "once")}

    def index(self, tile: Tile) -> dict[str, Piece]:
        from compress_core.kernels.bits import pack_mask

        return {"mask": Once(pack_mask(kept_mask(tile)[0]))} if tile.start == 0 else {}

    def compact(self, array: NDArray[Any], tile: Tile) -> NDArray[Any]:
        return array[:, kept_mask(tile)[0]]


class Ranked(Arrangement):
    """N:M: the rank of every group's pattern; of every row the kept elements.

    The ranks of a row are one bit stream: first those of its whole groups, then (where M does not
    divide the columns) the rank of the ragged one, whose pattern is one of C(r, min(N, r)).
    """

    @property
    def runs(self) -> list[Run]:
        """The groups of a row."""
        return runs(self.matrix[1], self.structure.height, self.structure.width)

    @property
    def grid(self) -> tuple[int, int]:
        return self.matrix[0], sum(run.groups * run.kept for run in self.runs)

    def index_parts(self) -> dict[str, PartSpec]:
        bits = sum(run.groups * run.rank_bits for run in self.runs)
        return {"ranks": PartSpec("U8", (self.matrix[0], row_bytes(bits, 1)), "rows")}

    def index(self, tile: Tile) -> dict[str, Piece]:
        from compress_core.layouts.packed.ranks import packed_ranks

        return {"ranks": Rows(tile.start, packed_ranks(kept_mask(tile), self.runs))}

    def compact(self, array: NDArray[Any], tile: Tile) -> NDArray[Any]:
        return kept_elements(array, tile).reshape(len(array), self.grid[1])


def kept_mask(tile: Tile) -> NDArray[np.bool_]:
    """Where the elements of a tile stay."""
    import numpy as np

    return np.ones(tile.raw.shape, dtype=np.bool_) if tile.mask is None else ~tile.mask


def kept_elements(array: NDArray[Any], tile: Tile) -> NDArray[Any]:
    """The elements of (rows, columns) that stay, one after the other."""
    from compress_core.kernels.masks import compacted

    return array.reshape(-1) if tile.mask is None else compacted(array, tile.mask)


def arrangement(info: TensorInfo, form: Form) -> Arrangement:
    """The smallest arrangement that can hold ``form``; the plainest one among equals."""
    bits = form.scheme.bits if form.scheme is not None else None
    code = form.dtype.code
    return min(candidates(info, form), key=lambda one: one.nbytes(info.name, code, bits))


def candidates(info: TensorInfo, form: Form) -> list[Arrangement]:
    """Arrangements that can hold ``form``, the plainest first."""
    structure = form.sparsity
    kept = info.elements if form.kept is None else form.kept
    if structure is None:
        return [Plain(info.matrix, ELEMENT, info.elements)]
    found: list[Arrangement] = []
    if form.scheme is None or form.scheme.holds_zero:
        found.append(Plain(info.matrix, structure, info.elements))
    found.append(masked(info.matrix, structure, kept))
    if structure.kind == "nofm" and structure.width <= MAX_RANKED:
        found.append(Ranked(info.matrix, structure, kept))
    return found


def masked(matrix: tuple[int, int], structure: Structure, kept: int) -> Arrangement:
    """The arrangement that tells places by a bitmask of the structure's own granularity."""
    by_kind = {"row": KeptRows, "column": KeptColumns}
    return by_kind.get(structure.kind, Scattered)(matrix, structure, kept)


def parts(info: TensorInfo, form: Form, chosen: Arrangement) -> dict[str, PartSpec]:
    """Part name → spec of one tensor, in the order of the header."""
    if form.scheme is None and isinstance(chosen, Plain):
        return {info.name: PartSpec(form.dtype.code, info.shape, "rows")}
    bits = form.scheme.bits if form.scheme is not None else None
    local = {"values" if bits is None else "codes": chosen.data_part(form.dtype.code, bits)}
    if form.scheme is not None:
        local |= _parameter_parts(form.scheme, chosen)
    local |= chosen.index_parts()
    return {f"{info.name}.{name}": spec for name, spec in local.items()}


def _parameter_parts(scheme: Scheme, chosen: Arrangement) -> dict[str, PartSpec]:
    return {
        name: _parameter_part(kind, scheme, chosen) for name, kind in scheme.parameters().items()
    }


def _parameter_part(kind: Parameter, scheme: Scheme, chosen: Arrangement) -> PartSpec:
    whole = is_whole(kind, scheme)
    if kind.span > 1:
        # through all rows of the tensor, also those that are left out
        blocks = -(-chosen.matrix[0] * scheme.groups(chosen.matrix[1]) // kind.span)
        return PartSpec(kind.stored, (blocks, 1), "rows")
    rows, groups = (1, 1) if whole else (chosen.parameter_rows, scheme.groups(chosen.matrix[1]))
    placed: Placed = "once" if whole else "stream" if chosen.selects_rows else "rows"
    width = row_bytes(groups, kind.bits) if kind.bits else groups
    return PartSpec(kind.stored, (rows, width), placed)


def is_whole(kind: Parameter, scheme: Scheme) -> bool:
    """Whether a tensor has one parameter of this kind."""
    return kind.whole or scheme.group_size == "tensor"
