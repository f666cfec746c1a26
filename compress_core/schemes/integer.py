"""Integers of 2 to 8 bits on a uniform grid: symmetric, asymmetric, or around the group's mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from compress_core.errors import FormatError
from compress_core.schemes.base import GroupSize, Parameter, Parameters, Scheme, check_scales

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Center = Literal["none", "mean"]


@dataclass(frozen=True)
class Integer(Scheme):
    """``value = (code - zero) · scale [+ mean]``, codes offset binary.

    Symmetric: ``scale = max|w| / (2^(b-1) - 1)``, codes clipped to ±(2^(b-1) - 1) around 2^(b-1);
    with ``center="mean"`` the group's mean is subtracted first. Asymmetric:
    ``scale = (max - min) / (2^b - 1)`` over a range that includes 0,
    ``zero_point = rint(-min / scale)``. Codes are ``rint(w / scale)``: a float32 division by the
    scale as stored.

    At 8 bits a scale that is rounded down to 16 bits clips an extreme of an asymmetric group by
    more than half a step in every fifth group, so there it is rounded up.
    """

    id: ClassVar[str] = "integer"
    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]] = {
        "sum": "sum",
        "count": "sum",
        "amax": "max",
        "low": "min",
        "high": "max",
    }

    bits: int
    group_size: GroupSize
    symmetric: bool = True
    center: Center = "none"
    scale_dtype: str = "F32"

    def __str__(self) -> str:
        how = "" if self.symmetric else " asym"
        return f"int{self.bits} {self.group_said}{how}{' mean' if self.center == 'mean' else ''}"

    def validate(self) -> None:
        super().validate()
        if self.bits < 2 or type(self.symmetric) is not bool:
            raise FormatError(f"not settings of integer codes: {self!r}")
        check_scales(self.scale_dtype, self.center)
        if self.center == "mean" and not self.symmetric:
            raise FormatError(f"integer codes have no such center: {self!r}")

    @property
    def rounds(self) -> int:
        return 2 if self.center == "mean" else 1

    @property
    def holds_zero(self) -> bool:
        return self.center == "none"

    def parameters(self) -> dict[str, Parameter]:
        stored = {"scale": Parameter(dtype=self.scale_dtype)}
        if not self.symmetric:
            stored["zero_point"] = Parameter(bits=self.bits)
        if self.center == "mean":
            stored["mean"] = Parameter(dtype=self.scale_dtype)
        return stored

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
        if not self.symmetric:
            return {"low": values.min(axis=2, initial=0), "high": values.max(axis=2, initial=0)}
        if self.center == "mean":
            values = deviations(values, found["mean"], kept)
        return {"amax": np.maximum(values.max(axis=2, initial=0), -values.min(axis=2, initial=0))}

    def conclude(self, turn: int, statistics: Parameters, found: Parameters) -> Parameters:
        import numpy as np

        from compress_core.kernels.scales import stored_mean, stored_scale
        from compress_core.kernels.sums import mean_of

        if self.rounds == 2 and turn == 0:
            return found | {"mean": stored_mean(mean_of(statistics), self.scale_dtype)}
        if self.symmetric:
            largest: NDArray[np.float32] = statistics["amax"]
            step = largest / np.float32(self._half - 1)
            return found | {"scale": stored_scale(step, self.scale_dtype)}
        low, high = (statistics[key].astype(np.float64) for key in ("low", "high"))
        width = ((high - low) / (2**self.bits - 1)).astype(np.float32)
        scale = stored_scale(width, self.scale_dtype, upwards=self.bits == 8)
        zero = np.clip(np.rint(-statistics["low"] / scale), 0, 2**self.bits - 1)
        return found | {"scale": scale, "zero_point": zero.astype(np.uint8)}

    @property
    def _half(self) -> int:
        return 1 << (self.bits - 1)

    def encode(self, values: NDArray[np.float32], parameters: Parameters) -> NDArray[np.uint8]:
        import numpy as np

        from compress_core.kernels.groups import grouped, ungrouped

        columns = values.shape[1]
        work = grouped(values, self.width(columns))
        if "mean" in parameters:
            work = work - parameters["mean"][:, :, None]
        with np.errstate(over="ignore"):
            steps = work / parameters["scale"][:, :, None]
        np.rint(steps, out=steps)
        if self.symmetric:
            bound = self._half - 1
            np.clip(steps, -bound, bound, out=steps)
            steps += np.float32(self._half)
        else:
            steps += parameters["zero_point"][:, :, None]
            np.clip(steps, 0, 2**self.bits - 1, out=steps)
        return ungrouped(steps.astype(np.uint8), columns)

    def decode(self, codes: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
        import numpy as np

        from compress_core.kernels.groups import grouped, ungrouped

        columns = codes.shape[1]
        values = grouped(codes, self.width(columns)).astype(np.float32)
        values -= np.float32(self._half) if self.symmetric else parameters["zero_point"][:, :, None]
        with np.errstate(over="ignore"):
            values *= parameters["scale"][:, :, None]
            if "mean" in parameters:
                values += parameters["mean"][:, :, None]
        return ungrouped(values, columns)

    def zero_codes(self, parameters: Parameters, columns: int) -> NDArray[np.uint8]:
        import numpy as np

        from compress_core.kernels.groups import spread

        if self.symmetric:
            return np.array([[self._half]], dtype=np.uint8)
        return spread(parameters["zero_point"], self.width(columns), columns)
