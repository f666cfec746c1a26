"""The dtypes of safetensors: code, width and how NumPy holds one element.

No NumPy here: sizes must be computable from a header alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["float", "int", "uint", "bool", "complex"]


@dataclass(frozen=True, slots=True)
class DType:
    """One dtype of the safetensors format.

    :ivar code: its name in a header (``BF16``).
    :ivar bits: bits an element; below 8 only for F4 and F6.
    :ivar storage: the little-endian NumPy dtype that holds an element's bits unchanged, ``None``
        when elements are narrower than a byte. Formats that NumPy has no arithmetic for (BF16, FP8)
        are held as unsigned integers of their width.
    """

    code: str
    bits: int
    kind: Kind
    storage: str | None

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_weight(self) -> bool:
        """Whether passes work on it: a float of 16 bits or more. Narrower ones are codes."""
        return self.kind == "float" and self.bits >= 16

    def __str__(self) -> str:
        return self.code


def _table(*rows: tuple[str, int, Kind, str | None]) -> dict[str, DType]:
    return {row[0]: DType(*row) for row in rows}


DTYPES: dict[str, DType] = _table(
    ("BOOL", 8, "bool", "|u1"),
    ("F4", 4, "float", None),
    ("F6_E2M3", 6, "float", None),
    ("F6_E3M2", 6, "float", None),
    ("U8", 8, "uint", "|u1"),
    ("I8", 8, "int", "|i1"),
    ("F8_E5M2", 8, "float", "|u1"),
    ("F8_E4M3", 8, "float", "|u1"),
    ("F8_E8M0", 8, "float", "|u1"),
    ("F8_E4M3FNUZ", 8, "float", "|u1"),
    ("F8_E5M2FNUZ", 8, "float", "|u1"),
    ("I16", 16, "int", "<i2"),
    ("U16", 16, "uint", "<u2"),
    ("F16", 16, "float", "<u2"),
    ("BF16", 16, "float", "<u2"),
    ("I32", 32, "int", "<i4"),
    ("U32", 32, "uint", "<u4"),
    ("F32", 32, "float", "<f4"),
    ("C64", 64, "complex", "<c8"),
    ("F64", 64, "float", "<f8"),
    ("I64", 64, "int", "<i8"),
    ("U64", 64, "uint", "<u8"),
)
