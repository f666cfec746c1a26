"""NF4 with double quantization: the scales of groups are 8-bit codes themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from compress_core.errors import FormatError, UnsupportedError, UsageError
from compress_core.fitting import Fitting
from compress_core.schemes._nf4 import GROUP, NormalFloat
from compress_core.schemes.base import GroupSize, Parameter, Parameters, Wanted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BLOCK = 256
"""Groups, counted through the flattened tensor, whose scales share their largest deviation."""

_LEAST = 1e-38
"""What bitsandbytes divides by at the least."""


@dataclass(frozen=True)
class Nf4Double(NormalFloat):
    """``value = table[code] · (map[scale] · nested_absmax + nested_offset)`` (QLoRA, section 3).

    ``nested_offset`` is the mean of the largest magnitudes of all groups of the tensor, added in
    float64 and rounded once; ``nested_absmax`` is the largest distance from it among 256 groups,
    one after the other through the flattened tensor; ``scale`` is the code of the nearest number of
    :data:`~compress_core.kernels.dynamic.DYNAMIC` to that distance / nested_absmax.

    By the rule ``bitsandbytes`` (0.50, CPU) that code is the one of a bin of distance · (1 /
    nested_absmax), and the codes of the weights are those of NF4 without double quantization: they
    go with the scales before these are rounded. The library adds its mean in float32, in an order
    that depends on the processor: given its offset, all else is equal to the bit.

    A search looks for the code of a scale; what scales share stays that of the formula. A scale
    that is much smaller than others of its block can be rounded to zero or below; a search takes
    no scale below zero that the formula does not have.
    """

    id: ClassVar[str] = "nf4-double"
    doubled: ClassVar[str | None] = "nf4-double"
    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]] = {
        "amax": "max",
        "sum": "sum",
        "count": "sum",
    }

    bits: int
    group_size: GroupSize

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, 4, "symmetric", "center", "element", "scale_dtype")
        if wanted.group_size == "tensor":
            said = "there is one scale for a tensor, and double_quant is for many"
            raise UsageError(said, where="group_size", hint="leave double_quant out")
        return cls(4, wanted.group_size or GROUP)

    def __str__(self) -> str:
        return f"nf4 {self.group_said} dq"

    def validate(self) -> None:
        super().validate()
        if self.group_size == "tensor":
            raise FormatError(f"not settings of scales that are codes: {self!r}")

    @property
    def rounds(self) -> int:
        return 2

    @property
    def surveys(self) -> int:
        return 1

    def row_multiple(self, columns: int) -> int:
        return BLOCK // math.gcd(BLOCK, self.groups(columns))

    def parameters(self) -> dict[str, Parameter]:
        return {
            "scale": Parameter(bits=8),
            "nested_absmax": Parameter(dtype="F32", span=BLOCK),
            "nested_offset": Parameter(dtype="F32", whole=True),
        }

    def overview(
        self,
        turn: int,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
    ) -> Parameters:
        from compress_core.kernels.groups import grouped, largest
        from compress_core.kernels.sums import group_sum

        scales = largest(grouped(values, self.width(values.shape[1])))
        return group_sum(scales.reshape(1, 1, -1), None)

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.dynamic import largest_of_blocks
        from compress_core.kernels.sums import mean_of

        if turn == 0:
            return {"nested_offset": mean_of(statistics)}
        distances = statistics["amax"] - found["nested_offset"]
        most = largest_of_blocks(distances, BLOCK)
        codes = self._codes(distances, most, fitting)
        parameters: Parameters = {"scale": codes, "nested_absmax": most, **found}
        if not np.isfinite(self._scales(parameters)).all():
            raise UnsupportedError("a scale of its groups does not fit F32")
        return parameters

    @staticmethod
    def _codes(
        distances: NDArray[np.float32], most: NDArray[np.float32], fitting: Fitting
    ) -> NDArray[np.uint8]:
        """Codes of scales, by their distances from the offset and the largest of their blocks."""
        import numpy as np

        from compress_core.kernels.dynamic import binned_codes, dynamic_codes
        from compress_core.kernels.scales import SMALLEST

        divisor: NDArray[np.float32] = np.maximum(most, SMALLEST["F32"])
        if fitting.rule == "bitsandbytes" and not fitting.searches:
            inverse: NDArray[np.float32] = np.float32(1) / divisor
            codes = binned_codes(distances * inverse)
        else:
            with np.errstate(over="ignore"):
                codes = dynamic_codes(distances / divisor)
        return np.where(most == 0, np.uint8(0), codes)  # as the library has it

    @staticmethod
    def _scales(parameters: Parameters) -> NDArray[np.float32]:
        import numpy as np

        from compress_core.kernels.dynamic import dynamic_values

        with np.errstate(over="ignore"):
            distances = dynamic_values(parameters["scale"]) * parameters["nested_absmax"]
            return np.asarray(distances + parameters["nested_offset"])

    def may_be_negative(self, fitting: Fitting) -> bool:
        return False

    def stored(self, scale: NDArray[np.float32], found: Parameters) -> Parameters:
        import numpy as np

        with np.errstate(over="ignore"):
            distances = scale - found["nested_offset"]
        codes = self._codes(distances, found["nested_absmax"], Fitting(search="mse"))
        stored = self._scales(found | {"scale": codes})
        usable = (stored > 0) & np.isfinite(stored)
        return {"scale": np.where(usable, codes, found["scale"])}

    def unit(self, parameters: Parameters) -> NDArray[np.float32]:
        import numpy as np

        scales = self._scales(parameters)
        if not np.isfinite(scales).all():
            raise FormatError("scales that are NaN or infinite")
        return scales

    def divisors(
        self, values: NDArray[np.float32], unit: NDArray[np.float32], fitting: Fitting
    ) -> tuple[NDArray[np.float32], bool]:
        import numpy as np

        from compress_core.kernels.groups import grouped, largest

        if fitting.rule != "bitsandbytes" or fitting.searches:
            return np.where(unit == 0, np.float32(1), unit), False
        most = largest(grouped(values, self.width(values.shape[1])))
        return np.maximum(most, np.float32(_LEAST)), True
