"""One bit a weight: its sign around the group's mean, times the mean absolute deviation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from compress_core.errors import FormatError, UsageError
from compress_core.fitting import FORMULA, Fitting
from compress_core.schemes.base import (
    GroupSize,
    Parameter,
    Parameters,
    Scheme,
    Wanted,
    check_scales,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Center = Literal["none", "mean"]


@dataclass(frozen=True)
class Binary(Scheme):
    """``value = [mean +] ±scale``; code 1 is plus, sign(0) = +1.

    ``scale`` is the mean of |w - mean| over the group, which is the least-squares choice for fixed
    signs (Rastegari et al. 2016, XNOR-Net, eq. 6), so there is nothing to search for.
    """

    id: ClassVar[str] = "binary"
    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]] = {
        "sum": "sum",
        "count": "sum",
    }

    bits: int
    group_size: GroupSize
    center: Center = "mean"
    scale_dtype: str = "F32"

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, 1, "element")
        if wanted.symmetric is False:
            raise UsageError(
                "1 bit is sign and scale: there is no asymmetric form",
                where="symmetric",
                hint="use --bits 2, or leave symmetric out",
            )
        size = wanted.group_size or "channel"
        return cls(1, size, wanted.center or "mean", wanted.scales_of(size))

    def __str__(self) -> str:
        return f"binary {self.group_said}{'' if self.center == 'mean' else ' sign'}"

    def validate(self) -> None:
        super().validate()
        check_scales(self.scale_dtype, self.center)
        if self.bits != 1:
            raise FormatError(f"not settings of binary codes: {self!r}")

    @property
    def rounds(self) -> int:
        return 2 if self.center == "mean" else 1

    @property
    def holds_zero(self) -> bool:
        return False

    def parameters(self) -> dict[str, Parameter]:
        stored = {"scale": Parameter(dtype=self.scale_dtype)}
        return stored | {"mean": stored["scale"]} if self.center == "mean" else stored

    def observe(
        self,
        turn: int,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.groups import deviations
        from compress_core.kernels.sums import group_sum

        if self.rounds == 2 and turn == 0:
            return group_sum(values, kept)
        if "mean" in found:
            values = deviations(values, found["mean"], kept)
        return group_sum(np.abs(values), kept)

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.scales import stored_mean, stored_scale
        from compress_core.kernels.sums import mean_of

        mean = mean_of(statistics)
        if self.rounds == 2 and turn == 0:
            return found | {"mean": stored_mean(mean, self.scale_dtype)}
        # a group of equal values has no deviation; one that is pruned away has scale 1 by
        # convention
        scale = np.where(statistics["count"] == 0, np.float32(1), mean)
        return found | {"scale": stored_scale(scale, self.scale_dtype, of_zero=0)}

    def encode(
        self, values: NDArray[np.float32], parameters: Parameters, fitting: Fitting = FORMULA
    ) -> NDArray[np.uint8]:
        import numpy as np

        from compress_core.kernels.groups import grouped, ungrouped

        columns = values.shape[1]
        work = grouped(values, self.width(columns))
        center = parameters["mean"][:, :, None] if "mean" in parameters else np.float32(0)
        return ungrouped((work >= center).view(np.uint8), columns)

    def decode(self, codes: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
        import numpy as np

        from compress_core.kernels.groups import grouped, ungrouped

        columns = codes.shape[1]
        scale = parameters["scale"][:, :, None]
        center = parameters["mean"][:, :, None] if "mean" in parameters else np.float32(0)
        plus = grouped(codes, self.width(columns)) != 0
        with np.errstate(over="ignore"):
            values = np.where(plus, center + scale, center - scale)
        return ungrouped(values, columns)

    def zero_codes(self, parameters: Parameters, columns: int) -> NDArray[np.uint8]:
        import numpy as np

        return np.zeros((1, 1), dtype=np.uint8)
