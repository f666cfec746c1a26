"""MXFP8: 8-bit floats (E4M3) and a power of two for each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from compress_core.errors import FormatError
from compress_core.schemes._bytes import LARGEST, Bytes
from compress_core.schemes._microscaled import Microscaled
from compress_core.schemes.base import GroupSize, Wanted

GROUP = 32


@dataclass(frozen=True)
class Mxfp8(Microscaled, Bytes):
    """E4M3 numbers times a power of two."""

    id: ClassVar[str] = "mxfp8"
    rules: ClassVar[tuple[str, ...]] = ("absmax", "mlx")
    largest: ClassVar[float] = LARGEST["e4m3"]
    exponent: ClassVar[int] = 8

    bits: int
    group_size: GroupSize

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, 8, "symmetric", "center", "element", "scale_dtype")
        return cls(8, wanted.group_size or GROUP)

    def __str__(self) -> str:
        return f"mxfp8 {self.group_said}"

    def validate(self) -> None:
        super().validate()
        if self.bits != 8:
            raise FormatError(f"not settings of mxfp8 codes: {self!r}")
