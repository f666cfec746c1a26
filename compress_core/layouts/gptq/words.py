"""How symmetric integers are stored: a column of words for each row of the weight.

A word holds consecutive columns of the weight, the first in its lowest bits. A tile of rows is a
stretch of columns of each part.

Source: the linear layers of AutoGPTQ 0.7 and GPTQModel 7.7 (``pack``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_core.container import Columns, Once, PartSpec, Piece
from compress_core.schemes.base import Scheme
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form

if TYPE_CHECKING:
    from compress_core.tiles import Quantized

CODES = "qweight"
ZEROS = "qzeros"
SCALES = "scales"
GROUPS = "g_idx"
_BITS = (4, 8)
_WORD = 32
# of a word a row: fewer would be written some bytes at a time
_ROWS_AT_ONCE = 32


class Words:
    """The parts of a weight and their data."""

    def holds(self, form: Form) -> bool:
        """Whether codes of a form are stored so."""
        scheme = form.scheme
        if not isinstance(scheme, Integer) or form.inputs is not None:
            return False
        plain = scheme.symmetric and scheme.center == "none" and scheme.scale_dtype == "F16"
        return plain and scheme.bits in _BITS and scheme.group_size != "tensor"

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        return parts_of(shape, scheme.bits, scheme.groups(shape[1]), "F16")

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        import numpy as np

        from compress_core.kernels.bits import pack_words
        from compress_core.kernels.floats import narrow

        scheme, columns = quantized.scheme, shape[1]
        found: dict[str, Piece] = {
            CODES: Columns(start, pack_words(quantized.codes, scheme.bits).T),
            SCALES: Columns(start, narrow(quantized.parameters["scale"], "F16").T),
        }
        if start == 0:
            zeros = self.parts(shape, scheme)[ZEROS].shape
            found[ZEROS] = Once(np.full(zeros, _zero_word(scheme.bits), "<u4").view("<i4"))
            groups = np.arange(columns) // scheme.width(columns)
            found[GROUPS] = Once(groups.astype("<i4"))
        return found

    def row_multiple(self, scheme: Scheme) -> int:
        return _ROWS_AT_ONCE


def parts_of(shape: tuple[int, int], bits: int, groups: int, scales: str) -> dict[str, PartSpec]:
    """Local name → part, of a weight of ``shape``.

    :param groups: groups of a row.
    :param scales: dtype of scales.
    """
    rows, columns = shape
    return {
        CODES: PartSpec("I32", (columns * bits // _WORD, rows), "columns"),
        ZEROS: PartSpec("I32", (groups, rows * bits // _WORD), "once"),
        SCALES: PartSpec(scales, (groups, rows), "columns"),
        GROUPS: PartSpec("I32", (columns,), "once"),
    }


def _zero_word(bits: int) -> int:
    """A word of zero points of symmetric codes, which are stored less one."""
    zero = (1 << (bits - 1)) - 1
    return sum(zero << first for first in range(0, _WORD, bits))
