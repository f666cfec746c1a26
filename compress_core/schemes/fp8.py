"""8-bit floats with a scale: E4M3 or E5M2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from compress_core.errors import FormatError
from compress_core.fitting import Fitting
from compress_core.schemes._scaled import Scaled
from compress_core.schemes.base import EPSILONS, GroupSize, Parameters, Wanted, check_scales

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Element = Literal["e4m3", "e5m2"]

LARGEST: Mapping[str, float] = {"e4m3": 448.0, "e5m2": 57344.0}


@dataclass(frozen=True)
class Fp8(Scaled):
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

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.scales import stored_scale

        scale = np.divide(statistics["amax"], LARGEST[self.element], dtype=np.float32)
        of_zero = EPSILONS[self.scale_dtype] if fitting.rule == "compressed-tensors" else 1
        return found | {"scale": stored_scale(scale, self.scale_dtype, of_zero=of_zero)}

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

    @property
    def _dtype(self) -> str:
        return f"F8_{self.element.upper()}"

    def nearest(self, units: NDArray[np.float32]) -> NDArray[np.uint8]:
        from compress_core.kernels.floats import narrow

        return narrow(units, self._dtype)

    def numbers(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        from compress_core.kernels.floats import has_nonfinite, widen

        if has_nonfinite(codes, self._dtype):
            raise FormatError("codes that are NaN or infinite")
        return widen(codes, self._dtype)
