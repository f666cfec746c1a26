"""Affine codes: a scale and a free offset for each group, as MLX stores them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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

    from compress_core.kernels.lines import Line

GROUP = 64


@dataclass(frozen=True)
class Affine(Scheme):
    """``value = scale · code + bias``, rounded once to float32; codes are 0 … 2^b − 1.

    Scale and bias are floats of one dtype, so that 0 need not be among the values.

    By the rule ``absmax``: ``bias = min``, ``scale = (max − bias) / (2^b − 1)``, and codes are
    ``rint((w − bias) / scale)`` with both as stored.

    By the rule ``mlx`` (0.32, ``quantize``): the bias is the extreme of larger magnitude, and the
    scale, negative where that is the maximum, makes it a whole number of steps, so that 0 is hardly
    off a code. Codes are those of the scale that is not rounded yet.

    A search takes what least squares make of many ranges (:mod:`compress_core.kernels.lines`).
    """

    id: ClassVar[str] = "affine"
    rules: ClassVar[tuple[str, ...]] = ("absmax", "mlx")
    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]] = {"low": "min", "high": "max"}

    bits: int
    group_size: GroupSize
    scale_dtype: str = "F32"

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, None, "symmetric", "center", "element")
        if wanted.bits in (None, 1):
            raise UsageError("affine codes need bits: 2 to 8", where="bits", hint="try --bits 4")
        size = wanted.group_size or GROUP
        if size == "tensor":
            said = "affine codes have a scale and a bias for a row at most, not for a tensor"
            raise UsageError(said, where="group_size", hint=f"--group-size {GROUP}")
        return cls(wanted.bits or 0, size, wanted.scales_of(size))

    def __str__(self) -> str:
        return f"affine{self.bits} {self.group_said}"

    def validate(self) -> None:
        super().validate()
        check_scales(self.scale_dtype)
        if self.group_size == "tensor":
            raise FormatError(f"not settings of affine codes: {self!r}")

    @property
    def rounds(self) -> int:
        return 1

    @property
    def holds_zero(self) -> bool:
        return False

    def parameters(self) -> dict[str, Parameter]:
        return {
            "scale": Parameter(dtype=self.scale_dtype),
            "bias": Parameter(dtype=self.scale_dtype),
        }

    @property
    def _top(self) -> int:
        return (1 << self.bits) - 1

    def observe(
        self,
        turn: int,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.groups import ends

        if kept is None and values.shape[2]:
            return dict(zip(("low", "high"), ends(values), strict=True))
        counts = np.broadcast_to(True if kept is None else kept, values.shape)
        low = values.min(axis=2, initial=np.inf, where=counts)
        high = values.max(axis=2, initial=-np.inf, where=counts)
        none = low > high
        return {"low": np.where(none, 0, low), "high": np.where(none, 0, high)}

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.lines import mlx_line
        from compress_core.kernels.scales import nearest_scale, stored_bias, stored_scale

        low, high = statistics["low"], statistics["high"]
        if fitting.rule == "mlx":
            scale, bias = mlx_line(low, high, self._top, negative=fitting.negative_scale)
            return {
                "scale": nearest_scale(scale, self.scale_dtype),
                "bias": stored_bias(bias, self.scale_dtype),
            }
        bias = stored_bias(low, self.scale_dtype)
        reach = np.maximum(high.astype(np.float64) - bias, 0)
        scale = stored_scale((reach / self._top).astype(np.float32), self.scale_dtype)
        return {"scale": scale, "bias": bias}

    def search(
        self,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
        fitting: Fitting,
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.lines import best_line
        from compress_core.kernels.search import chunks

        flat = values.reshape(-1, values.shape[2])
        stays = None if kept is None else np.broadcast_to(kept, values.shape).reshape(flat.shape)
        lines = [_line(one) for one in (found, self._positive(values, kept, fitting))]
        scale, bias = lines[0].scale.copy(), lines[0].bias.copy()
        for part in chunks(*flat.shape):
            best = best_line(
                np.ascontiguousarray(flat[part].T),
                None if stays is None else np.ascontiguousarray(stays[part].T),
                [line.of(part) for line in lines],
                self.bits,
                self.scale_dtype,
                negative=fitting.negative_scale,
            )
            scale[part], bias[part] = best.scale, best.bias
        shape = found["scale"].shape
        return {"scale": scale.reshape(shape), "bias": bias.reshape(shape)}

    def _positive(
        self, values: NDArray[np.float32], kept: NDArray[np.bool_] | None, fitting: Fitting
    ) -> Parameters:
        """What the formula gives where scales may not be negative."""
        statistics = self.observe(0, values, kept, {})
        return self.conclude(0, statistics, {}, replace(fitting, negative_scale=False))

    def encode(
        self, values: NDArray[np.float32], parameters: Parameters, fitting: Fitting = FORMULA
    ) -> NDArray[np.uint8]:
        from compress_core.kernels.groups import grouped
        from compress_core.kernels.integers import integer_codes

        width, scale, bias = self.width(values.shape[1]), parameters["scale"], parameters["bias"]
        if fitting.rule == "mlx" and not fitting.searches and values.size:
            scale = self._unrounded(grouped(values, width), parameters, fitting)
        return integer_codes(values, width, scale, mean=bias, low=0, high=self._top)

    def _unrounded(
        self, values: NDArray[np.float32], parameters: Parameters, fitting: Fitting
    ) -> NDArray[np.float32]:
        """The scales whose codes MLX takes: those that were not rounded yet.

        Where zeros of pruned elements widen the range of a group, it is the scale as stored.
        """
        import numpy as np

        from compress_core.kernels.groups import ends
        from compress_core.kernels.lines import mlx_line
        from compress_core.kernels.scales import nearest_scale

        low, high = ends(values)
        scale, _ = mlx_line(low, high, self._top, negative=fitting.negative_scale)
        stored: NDArray[np.float32] = parameters["scale"]
        return np.where(nearest_scale(scale, self.scale_dtype) == stored, scale, stored)

    def decode(self, codes: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
        from compress_core.kernels.groups import grouped, ungrouped
        from compress_core.kernels.lines import line_values

        columns = codes.shape[1]
        scale, bias = parameters["scale"][:, :, None], parameters["bias"][:, :, None]
        return ungrouped(line_values(grouped(codes, self.width(columns)), scale, bias), columns)

    def ends(self, parameters: Parameters) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import numpy as np

        from compress_core.kernels.clipping import in_order

        scale, bias = parameters["scale"], parameters["bias"]
        low, high = np.float32(-0.5), np.float32(self._top + 0.5)
        with np.errstate(over="ignore"):
            return in_order(low * scale + bias, high * scale + bias)

    def zero_codes(self, parameters: Parameters, columns: int) -> NDArray[np.uint8]:
        import numpy as np

        from compress_core.kernels.groups import spread
        from compress_core.kernels.lines import line_codes

        zero = np.zeros_like(parameters["scale"])
        codes = line_codes(zero, parameters["scale"], parameters["bias"], np.float32(self._top))
        return spread(codes.astype(np.uint8), self.width(columns), columns)


def _line(parameters: Parameters) -> Line:
    from compress_core.kernels.lines import Line

    return Line(parameters["scale"].reshape(-1), parameters["bias"].reshape(-1))
