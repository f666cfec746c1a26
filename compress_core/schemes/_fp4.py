"""What formats share whose numbers are 4-bit floats (E2M1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from compress_core.errors import FormatError
from compress_core.schemes._scaled import Scaled
from compress_core.schemes.base import GroupSize, Wanted

if TYPE_CHECKING:
    from compress_core.kernels.scaled import Number


@dataclass(frozen=True)
class Fp4(Scaled):
    """E2M1 numbers in groups; how their scales are stored tells the formats apart.

    :cvar usual_group: columns of a group, when nothing is said.
    """

    rules: ClassVar[tuple[str, ...]] = ("absmax", "compressed-tensors")
    usual_group: ClassVar[int]

    bits: int
    group_size: GroupSize

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, 4, "symmetric", "center", "element", "scale_dtype")
        return cls(4, wanted.group_size or cls.usual_group)

    def __str__(self) -> str:
        return f"{self.id} {self.group_said}"

    def validate(self) -> None:
        super().validate()
        if self.bits != 4:
            raise FormatError(f"not settings of {self.id} codes: {self!r}")

    @property
    def number(self) -> Number:
        return "e2m1"
