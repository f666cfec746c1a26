"""8-bit floats with a scale: E4M3 or E5M2."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from compress_core.errors import FormatError
from compress_core.fitting import Fitting
from compress_core.schemes._bytes import LARGEST, Bytes
from compress_core.schemes.base import GroupSize, Parameters, Wanted, check_scales

if TYPE_CHECKING:
    from compress_core.kernels.rounding import Rounding

Element = Literal["e4m3", "e5m2"]


@dataclass(frozen=True)
class Fp8(Bytes):
    """``value = number · scale``; a code is the bit pattern of the number.

    E4M3 is the format "fn" of the OCP 8-bit Floating Point Specification 1.0: no infinities, 448 is
    the largest number. ``scale = max|w| / largest``; numbers are w / scale, rounded half to even
    and clipped.
    """

    id: ClassVar[str] = "fp8"
    rules: ClassVar[tuple[str, ...]] = ("absmax", "compressed-tensors")

    bits: int
    group_size: GroupSize
    element: Element = "e4m3"
    scale_dtype: str = "F32"

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, 8, "symmetric", "center")
        size = wanted.group_size or "channel"
        return cls(8, size, wanted.element or "e4m3", wanted.scales_of(size))

    def __str__(self) -> str:
        return f"fp8 {self.group_said}{'' if self.element == 'e4m3' else ' e5m2'}"

    def validate(self) -> None:
        super().validate()
        check_scales(self.scale_dtype)
        if self.bits != 8 or self.element not in ("e4m3", "e5m2"):
            raise FormatError(f"not settings of 8-bit floats: {self!r}")

    def rounding(self, fitting: Fitting) -> Rounding | None:
        from compress_core.kernels.rounding import Rounding

        steps, of_zero = LARGEST[self.element], self._of_zero(fitting)
        return Rounding(self.number, steps, self.scale_dtype, of_zero)

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        """Scales within a factor of two: beyond it the numbers are the same again, one exponent
        apart.
        """
        import numpy as np

        from compress_core.kernels.scales import nearest_scale

        for eighths in range(1, 8):
            with np.errstate(over="ignore"):
                scale = found["scale"] * np.float32(2 ** (eighths / 8))
            yield {"scale": nearest_scale(scale, self.scale_dtype)}
