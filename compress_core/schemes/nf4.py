"""NF4: sixteen quantiles of a normal distribution, times the largest magnitude of the group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from compress_core.fitting import Fitting
from compress_core.schemes._nf4 import GROUP, NormalFloat
from compress_core.schemes.base import GroupSize, Parameters, Wanted, check_scales

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.kernels.rounding import Rounding


@dataclass(frozen=True)
class Nf4(NormalFloat):
    """``value = table[code] · scale``.

    ``scale = max|w|``; the code is that of the nearest number of the table to w / scale. To
    bitsandbytes (0.50, CPU) it is w · (1 / scale). Its blocks run through the flattened tensor,
    which are these groups where the columns are a multiple of their size; where they are not, a
    group ends with its row here.

    The table is not symmetric, so a search tries negative scales too where they may be.
    """

    id: ClassVar[str] = "nf4"
    doubled: ClassVar[str | None] = "nf4-double"

    bits: int
    group_size: GroupSize
    scale_dtype: str = "F32"

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, 4, "symmetric", "center", "element")
        size = wanted.group_size or GROUP
        return cls(4, size, wanted.scales_of(size))

    def __str__(self) -> str:
        return f"nf4 {self.group_said}"

    def validate(self) -> None:
        super().validate()
        check_scales(self.scale_dtype)

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        from compress_core.kernels.scales import stored_scale

        return found | {"scale": stored_scale(statistics["amax"], self.scale_dtype)}

    def rounding(self, fitting: Fitting) -> Rounding | None:
        from compress_core.kernels.rounding import Rounding

        if fitting.rule == "bitsandbytes":  # which multiplies by the inverse
            return None
        return Rounding(self.number, 1, self.scale_dtype, of_zero=1)

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        """Of a group that is the whole tensor."""
        import numpy as np

        signs = (1, -1) if fitting.negative_scale else (1,)
        for share in np.linspace(1.1, 0.7, 17, dtype=np.float32):
            for sign in signs:
                with np.errstate(over="ignore"):
                    scale = found["scale"] * (share * np.float32(sign))
                yield self.stored(scale, found)

    def stored(self, scale: NDArray[np.float32], found: Parameters) -> Parameters:
        from compress_core.kernels.scales import nearest_scale

        return {"scale": nearest_scale(scale, self.scale_dtype)}

    def divisors(
        self, values: NDArray[np.float32], unit: NDArray[np.float32], fitting: Fitting
    ) -> tuple[NDArray[np.float32], bool]:
        return unit, fitting.rule == "bitsandbytes" and not fitting.searches
