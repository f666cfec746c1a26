"""A tile: whole rows of one tensor, as the file has them and as the passes so far leave them.

Tiles are whole *grains* (:mod:`compress_core.tiling`), and every sum is taken grain by grain in
order, so neither the size of tiles nor the number of threads can change a byte.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress_core.dtypes import DType
from compress_core.kernels import casting, clipping, floats, masks
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    from compress_core.schemes.base import Scheme


@dataclass(frozen=True)
class Quantized:
    """Codes of a tile and the parameters of their groups.

    :ivar codes: unsigned codes, shape (rows, columns), offset binary.
    :ivar parameters: name → array (rows, groups), or (1, 1) when one group is the whole tensor.
    """

    scheme: Scheme
    codes: NDArray[np.uint8]
    parameters: dict[str, NDArray[Any]]


class Tile:
    """Rows ``start:stop`` of a tensor.

    :ivar raw: (rows, columns) in the storage dtype; never changed: the "before" of every metric.
    :ivar dtype: what a reader will get; that of the file until :meth:`cast`.
    :ivar grain: rows of one grain.
    :ivar mask: where elements are pruned, (rows, columns); ``None`` = nowhere. Set by :meth:`prune`
        alone.
    :ivar codes: the quantized elements; a masked element's code is the scheme's zero code.
    :ivar aimed: the values that codes were chosen for, and their dtype; ``None``: the codes came
        with the file.
    """

    __slots__ = (
        *("_moved", "_plain", "_values", "aimed", "codes", "dtype", "grain", "info", "mask", "raw"),
        *("start", "stop"),
    )

    def __init__(self, info: TensorInfo, start: int, raw: NDArray[Any], grain: int) -> None:
        self.info = info
        self.start = start
        self.stop = start + len(raw)
        self.raw = raw
        self.grain = grain
        self.dtype = info.dtype
        self.mask: NDArray[np.bool_] | None = None
        self.codes: Quantized | None = None
        self.aimed: tuple[NDArray[Any], str] | None = None
        self._plain = raw
        self._moved: NDArray[np.float32] | None = None
        self._values: NDArray[np.float32] | None = None

    @property
    def plain(self) -> NDArray[Any] | None:
        """All elements, the masked ones included, as ``dtype`` stores them: those of the file, or
        what a cast made of them; ``None`` when a pass has given others or codes.
        """
        return self._plain if self.codes is None and self._moved is None else None

    @property
    def values(self) -> NDArray[np.float32]:
        """Current values in float32, zero where masked. Shared: do not write into it."""
        if self._values is None:
            if self.codes is not None:
                values = self.codes.scheme.decode(self.codes.codes, self.codes.parameters)
            elif self._moved is not None:
                values = self._moved.copy()
            else:
                values = floats.widen(self._plain, self.dtype.code)
            if self.mask is not None:
                values[self.mask] = 0
            self._values = values
        return self._values

    def move(self, values: NDArray[np.float32]) -> None:
        """Give every element a new value; codes, if any, are gone.

        An F64 element whose float32 value stays the same keeps its own precision.
        """
        self._moved = values
        self.codes = None
        self._values = None

    def cast(self, dtype: DType) -> None:
        """Round every element once to another dtype; codes stay, and will be decoded to it.

        :raises UnsupportedError: a number is beyond the range of ``dtype``.
        """
        if self.codes is None:
            self._plain = self._rounded_to(dtype)
            self._moved = None
            self._values = None
        self.dtype = dtype

    def _rounded_to(self, dtype: DType) -> NDArray[Any]:
        if self._moved is None:
            return casting.cast(self._plain, self.dtype.code, dtype.code)
        if self.dtype.code == "F64":
            return casting.cast(self._narrowed(), "F64", dtype.code)
        return casting.cast(self._moved, "F32", dtype.code)

    def renamed(self, info: TensorInfo) -> Tile:
        """The same tile of a tensor that shares its data with this one, for a layout to store."""
        other = copy.copy(self)
        other.info = info
        return other

    def prune(self, mask: NDArray[np.bool_]) -> None:
        """Also remove the elements where ``mask`` is true."""
        self.mask = mask if self.mask is None else self.mask | mask
        self._values = None
        if self.codes is not None:
            self.quantize(self.codes)

    def quantize(self, codes: Quantized, *, kept: bool = False) -> None:
        """Replace the values by codes; masked elements get the zero code.

        :param kept: the codes came with the file.
        """
        if self.codes is None and not kept:
            plain = self.plain
            self.aimed = (self.values, "F32") if plain is None else (plain, self.dtype.code)
        if self.mask is not None:
            zero = codes.scheme.zero_codes(codes.parameters, self.raw.shape[1])
            codes = Quantized(
                codes.scheme, np.where(self.mask, zero, codes.codes), codes.parameters
            )
        self.codes = codes
        self._values = None

    @property
    def clipped(self) -> int | None:
        """How many values the numbers of their groups do not reach, by more than half a step.

        ``None`` where no values became codes, or there are but two numbers.
        """
        if self.codes is None or self.aimed is None:
            return None
        scheme = self.codes.scheme
        ends = scheme.ends(self.codes.parameters)
        if ends is None:
            return None
        return clipping.beyond(*self.aimed, scheme.width(self.raw.shape[1]), ends, self.mask)

    def stored(self) -> NDArray[Any]:
        """What a reader will get: values rounded once to ``dtype``."""
        plain = self.plain
        if plain is None:
            return self._narrowed()
        if self.mask is None:
            return plain
        return masks.zeroed(plain, self.mask)

    def _narrowed(self) -> NDArray[Any]:
        code = self.dtype.code
        narrowed = floats.narrow(self.values, code)
        if self.codes is not None or code != "F64":
            return narrowed
        same = self.values == floats.widen(self._plain, code)
        if self.mask is not None:
            same &= ~self.mask
        return np.where(same, self._plain, narrowed)

    def grains(self) -> range:
        """First rows of the tile's grains, counted from the tile's own first row."""
        return range(0, len(self.raw), self.grain)
