"""Three values a weight: minus the scale, zero, and the scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from compress_core.errors import FormatError
from compress_core.fitting import Fitting
from compress_core.schemes._scaled import Scaled
from compress_core.schemes.base import GroupSize, Parameters, Wanted, check_scales

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.kernels.scaled import Number

THRESHOLD = 0.7
"""Share of the mean magnitude below which a weight counts as zero in the formula."""


@dataclass(frozen=True)
class Ternary(Scaled):
    """``value = (code - 1) · scale``; the code is that of the nearest of the three values.

    The formula: ``scale`` is the mean of those |w| that exceed 0.7 times the mean of all (Li et al.
    2016, Ternary Weight Networks, eq. 5 and 6). A search takes the best scale there is: from sorted
    magnitudes.
    """

    id: ClassVar[str] = "ternary"
    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]] = {
        "sum": "sum",
        "count": "sum",
    }
    zero_code: ClassVar[int] = 1

    bits: int
    group_size: GroupSize
    scale_dtype: str = "F32"

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, 2, "symmetric", "center", "element")
        size = wanted.group_size or "channel"
        return cls(2, size, wanted.scales_of(size))

    def __str__(self) -> str:
        return f"ternary {self.group_said}"

    def validate(self) -> None:
        super().validate()
        check_scales(self.scale_dtype)
        if self.bits != 2:
            raise FormatError(f"not settings of ternary codes: {self!r}")

    @property
    def rounds(self) -> int:
        return 2

    def observe(
        self,
        turn: int,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.sums import group_sum

        magnitudes = np.abs(values)
        if turn == 0:
            return group_sum(magnitudes, kept)
        counted = magnitudes > found["scale"][:, :, None] * np.float32(THRESHOLD)
        return group_sum(np.where(counted, magnitudes, np.float32(0)), counted)

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        from compress_core.kernels.scales import stored_scale
        from compress_core.kernels.sums import mean_of

        mean = mean_of(statistics)
        # the first round's is only the mean that the threshold is a share of
        return {"scale": mean if turn == 0 else stored_scale(mean, self.scale_dtype)}

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        """Of a group that is the whole tensor, whose magnitudes cannot be sorted."""
        import numpy as np

        from compress_core.kernels.scales import nearest_scale

        for share in np.linspace(0.5, 1.5, 21, dtype=np.float32):
            with np.errstate(over="ignore"):
                yield {"scale": nearest_scale(found["scale"] * share, self.scale_dtype)}

    def search(
        self,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
        fitting: Fitting,
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.scales import nearest_scale
        from compress_core.kernels.ternary import ternary_scale
        from compress_core.kernels.trials import best_trial

        if self.group_size == "tensor":
            return super().search(values, kept, found, fitting)
        rows, groups, width = values.shape
        flat = values.reshape(rows, groups * width)
        best = ternary_scale(values)
        best = np.where(best == 0, found["scale"], nearest_scale(best, self.scale_dtype))
        return best_trial(self.errors(flat, None, width, fitting), found, [{"scale": best}])

    @property
    def number(self) -> Number:
        return "ternary"

    def check(self, codes: NDArray[np.uint8]) -> None:
        if codes.max(initial=0) > 2:
            raise FormatError("codes beyond the three of ternary weights")
