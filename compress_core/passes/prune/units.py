"""Units of pruning and their keys: unsigned integers that order units by what they are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels import floats
from compress_core.kernels.hashing import hash_keys
from compress_core.kernels.sums import ordered_sum
from compress_core.passes.base import Target
from compress_core.passes.prune.counting import units
from compress_core.tensors import Structure
from compress_core.tiles import Tile


def key_width(
    targets: Sequence[Target], structure: Structure, seed: int | None, threshold: bool
) -> int:
    """Bits of the keys by which all units of ``targets`` are compared.

    16 where all elements are of one 16-bit format, 64 where an element of F64 must be told exactly,
    else 32: scores of structures, hashes, and everything that float32 holds. Thresholds need no
    16-bit keys.
    """
    if structure.kind not in ("element", "nofm") or seed is not None:
        return 32
    forms = [form for target in targets for form in target.before.outcomes]
    formats = {form.dtype.code for form in forms if form.scheme is None}
    if "F64" in formats:
        return 64
    worked = any(form.scheme is not None or form.moved for form in forms)
    alone = len(formats) == 1 and formats <= {"BF16", "F16"}
    return 16 if alone and not worked and not threshold else 32


@dataclass(frozen=True)
class Scoring:
    """How the units of a tile get their keys. A unit that is zero already has key 0: it goes first.

    :ivar seed: of random keys; ``None``: the magnitude, or the norm of a structure rounded to
        float32.
    :ivar width: bits of a key.
    """

    structure: Structure
    norm: str
    seed: int | None
    width: int

    def keys(self, tile: Tile) -> NDArray[Any]:
        """Keys of a tile's units, (unit rows, unit columns)."""
        keys = self._elements(tile) if self._by_element else self.of_scores(self._scores(tile))
        return keys if self.seed is None else self.shuffled(keys, tile)

    def expanded(self, mask: NDArray[np.bool_], tile: Tile) -> NDArray[np.bool_]:
        """A mask of units as a mask of elements."""
        if self._by_element:
            return mask
        if self.structure.kind == "row":
            return np.broadcast_to(mask, tile.raw.shape)
        rows, columns = tile.raw.shape
        height, width = self._block(rows, columns)
        tall = np.repeat(mask, height, axis=0)[:rows]
        return np.repeat(tall, width, axis=1)[:, :columns]

    def _block(self, rows: int, columns: int) -> tuple[int, int]:
        """Sides of a block, no longer than the matrix: its name may say far more."""
        return min(self.structure.height, max(1, rows)), min(self.structure.width, max(1, columns))

    @property
    def _by_element(self) -> bool:
        return self.structure.kind in ("element", "nofm")

    def _elements(self, tile: Tile) -> NDArray[Any]:
        plain = tile.plain
        if plain is None:
            keys: NDArray[Any] = floats.float_keys(tile.values)
            return keys if self.width == 32 else floats.magnitude_keys(tile.values, "F32", 64)
        keys = floats.magnitude_keys(plain, tile.dtype.code, self.width)
        if tile.mask is not None:
            keys[tile.mask] = 0
        return keys

    def _scores(self, tile: Tile) -> NDArray[np.float64]:
        values = tile.values
        if self.structure.kind == "row":
            return norms(values, self.norm)[:, None]
        height, width = self._block(*values.shape)
        rows, columns = units(values.shape, self.structure)
        padded = np.zeros((rows * height, columns * width), np.float32)
        padded[: len(values), : values.shape[1]] = values
        blocks = padded.reshape(rows, height, columns, width).transpose(0, 2, 1, 3)
        return norms(blocks.reshape(rows, columns, height * width), self.norm)

    @staticmethod
    def of_scores(scores: NDArray[np.float64]) -> NDArray[np.uint32]:
        """Scores rounded to float32, as keys."""
        return floats.float_keys(np.minimum(scores, floats.F32_MAX).astype(np.float32))

    def shuffled(self, keys: NDArray[Any], tile: Tile) -> NDArray[np.uint32]:
        """Random keys in place of ``keys``, by the unit's index in the tensor."""
        row = tile.start // self.structure.height if self.structure.kind == "block" else tile.start
        return self.hashed(keys, tile.info.name, row * keys.shape[1])

    def hashed(self, keys: NDArray[Any], name: str, first: int) -> NDArray[np.uint32]:
        """Hashes for units from index ``first`` on; 0 where ``keys`` are."""
        hashes = hash_keys(self.seed or 0, name, first, keys.size).reshape(keys.shape)
        return np.where(keys == 0, np.uint32(0), hashes)

    def threshold_key(self, threshold: float) -> Any:
        """The largest key of a magnitude or score that does not exceed ``threshold``."""
        if self.width == 64:
            return np.float64(threshold).view(np.uint64)
        with np.errstate(over="ignore"):
            near = np.minimum(np.float32(threshold), floats.F32_MAX)
        if float(near) > threshold:
            near = np.nextafter(near, np.float32(0))
        return near.view(np.uint32)


def norms(values: NDArray[np.float32], norm: str) -> NDArray[np.float64]:
    """L1, L2 or largest magnitude over the last axis, in float64; sums in the fixed order."""
    if norm == "max":
        return np.asarray(np.abs(values).max(axis=-1, initial=0), dtype=np.float64)
    if norm == "l1":
        return ordered_sum(np.abs(values))
    return np.sqrt(ordered_sum(np.square(values, dtype=np.float64)))


def count_units(targets: Sequence[Target], structure: Structure) -> int:
    """Units of all ``targets`` together."""
    return sum(math.prod(units(target.info.matrix, structure)) for target in targets)
