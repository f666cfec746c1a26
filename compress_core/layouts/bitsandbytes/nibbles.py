"""Two codes of 4 bits in a byte, the first in the high half, and a scale for each block.

The library knows the weight as one row of numbers, whose blocks may begin in one row of the matrix
and end in the next.

Source: bitsandbytes 0.50, ``functional.py`` (``quantize_4bit``, ``QuantState``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compress_core.container import Once, PartSpec, Piece, Rows
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module
from compress_core.layouts.bitsandbytes.state import BLOCKS, State
from compress_core.schemes.base import Parameters, Scheme
from compress_core.schemes.nf4 import Nf4
from compress_core.schemes.nf4_double import BLOCK as NESTED_BLOCK
from compress_core.schemes.nf4_double import Nf4Double
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Quantized

WEIGHT = "weight"
SCALES = "weight.absmax"
TABLE = "weight.quant_map"
NESTED_SCALES = "weight.nested_absmax"
NESTED_TABLE = "weight.nested_quant_map"


@dataclass(frozen=True)
class Nibbles:
    """How NF4 codes are stored.

    :ivar dtype: code of the dtype that they are decoded to.
    """

    dtype: str

    def holds(self, form: Form) -> bool:
        """Whether codes of a form are stored so."""
        scheme = form.scheme
        plain = isinstance(scheme, Nf4) and scheme.scale_dtype == "F32"
        if scheme is None or not (plain or isinstance(scheme, Nf4Double)):
            return False
        return scheme.group_size in BLOCKS and form.inputs is None

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        state = self._state(shape, scheme)
        return {
            WEIGHT: PartSpec("U8", (state.elements // 2, 1), "rows"),
            **parts_of_scales(state),
            state.part: PartSpec("U8", (len(state.text()),), "once"),
        }

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        import numpy as np

        from compress_core.kernels.codebooks import NF4

        state = self._state(shape, quantized.scheme)
        codes, parameters = quantized.codes, quantized.parameters
        packed = codes[:, 0::2] << np.uint8(4) | codes[:, 1::2]
        first = start * shape[1] // state.block
        found: dict[str, Piece] = {
            WEIGHT: Rows(start * shape[1] // 2, packed.reshape(-1, 1)),
            SCALES: Rows(first, parameters["scale"].reshape(-1)),
        }
        if start == 0:
            found[TABLE] = Once(NF4)
        if state.nested is not None:
            found |= self._nested(first, state.nested, parameters)
            state = replace(state, offset=float(parameters["nested_offset"].item()))
        if start == 0:
            found[state.part] = Once(np.frombuffer(state.text(), np.uint8))
        return found

    @staticmethod
    def _nested(first: int, size: int, parameters: Parameters) -> dict[str, Piece]:
        """What scales that are codes have; tiles begin where one of their blocks does."""
        from compress_core.kernels.dynamic import DYNAMIC

        scales = parameters["nested_absmax"].reshape(-1)[::size]
        found: dict[str, Piece] = {NESTED_SCALES: Rows(first // size, scales)}
        return found if first else found | {NESTED_TABLE: Once(DYNAMIC)}

    def row_multiple(self, scheme: Scheme) -> int:
        return 1

    def _state(self, shape: tuple[int, int], scheme: Scheme) -> State:
        block = scheme.group_size
        if not isinstance(block, int):
            raise RuntimeError(f"no blocks of {block}")
        nested = NESTED_BLOCK if isinstance(scheme, Nf4Double) else None
        return State("nf4", block, self.dtype, shape, nested)


def parts_of_scales(state: State) -> dict[str, PartSpec]:
    """Local name → part, of scales and of tables."""
    found = {
        SCALES: PartSpec("F32" if state.nested is None else "U8", (state.blocks,), "rows"),
        TABLE: PartSpec("F32", (16,), "once"),
    }
    if state.nested is None:
        return found
    return found | {
        NESTED_SCALES: PartSpec("F32", (state.nested_blocks,), "rows"),
        NESTED_TABLE: PartSpec("F32", (256,), "once"),
    }


@dataclass(frozen=True)
class Blocks:
    """How stored codes and the scales of their blocks are read."""

    state: State

    @property
    def group(self) -> int:
        """Columns that share a scale wherever a row begins in a block."""
        return math.gcd(self.state.block, self.state.shape[1])

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        import numpy as np

        first, last = start * columns, stop * columns
        begin, end = first // 2, -(-last // 2)
        packed = module.span(WEIGHT, begin, end, "u1")
        codes = np.empty(2 * len(packed), np.uint8)
        codes[0::2] = packed >> np.uint8(4)
        codes[1::2] = packed & np.uint8(15)
        return codes[first - 2 * begin :][: last - first].reshape(stop - start, columns)

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        import numpy as np

        columns, block = self.state.shape[1], self.state.block
        first, last = start * columns, stop * columns
        begin, end = first // block, -(-last // block)
        scales = self._scales(module, begin, end)
        if not np.isfinite(scales).all():
            raise FormatError(f"its {SCALES} holds NaN or infinity", where=module.name)
        of_groups = np.arange(first, last, self.group) // block - begin
        return {"scale": scales[of_groups].reshape(stop - start, -1)}

    def _scales(self, module: Module, begin: int, end: int) -> NDArray[np.float32]:
        """The scales of some blocks; those that are codes are numbers of a table, times a scale of
        their own, and something is added.
        """
        import numpy as np

        if self.state.nested is None:
            return module.span(SCALES, begin, end, "<f4")
        size, offset = self.state.nested, self.state.offset
        numbers = module.span(NESTED_TABLE, 0, 256, "<f4")[module.span(SCALES, begin, end, "u1")]
        first = begin // size
        scales = module.span(NESTED_SCALES, first, -(-end // size), "<f4")
        with np.errstate(all="ignore"):
            found: NDArray[np.float32] = numbers * scales[np.arange(begin, end) // size - first]
            found += np.float32(offset)
        return found
