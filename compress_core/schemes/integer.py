"""Integers of 2 to 8 bits on a uniform grid: symmetric, asymmetric, or around the group's mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from compress_core.errors import FormatError, UsageError
from compress_core.fitting import FORMULA, Fitting
from compress_core.schemes.base import (
    EPSILONS,
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

    from compress_core.kernels.rounding import Coded, Rounding

Center = Literal["none", "mean"]


@dataclass(frozen=True)
class Integer(Scheme):
    """``value = (code - zero) · scale [+ mean]``, codes offset binary.

    By the rule ``absmax``: symmetric, ``scale = max|w| / (2^(b-1) - 1)``, codes clipped to
    ±(2^(b-1) - 1) around 2^(b-1); with ``center="mean"`` the group's mean is subtracted first.
    Asymmetric, ``scale = (max - min) / (2^b - 1)`` over a range that includes 0,
    ``zero_point = rint(-min / scale)``. Codes are ``rint(w / scale)``: a float32 division by the
    scale as stored.

    At 8 bits a scale that is rounded down to 16 bits clips an extreme of an asymmetric group by
    more than half a step in every fifth group, so there it is rounded up.

    By the rule ``compressed-tensors`` (0.20, ``calculate_qparams``): symmetric,
    ``scale = max|w| / ((2^b - 1) / 2)`` and codes down to -2^(b-1); asymmetric,
    ``zero_point = rint(clip(-2^(b-1) - min / scale))`` before the offset, with the scale that is
    not rounded yet, and it is added before codes are rounded, which decides ties.

    A search also uses the code of -2^(b-1), and a negative scale where it may.
    """

    id: ClassVar[str] = "integer"
    rules: ClassVar[tuple[str, ...]] = ("absmax", "compressed-tensors")
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

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, None, "element")
        if wanted.bits in (None, 1):
            raise UsageError("integer codes need bits: 2 to 8", where="bits", hint="try --bits 4")
        symmetric, center = wanted.symmetric is not False, wanted.center or "none"
        if center == "mean" and not symmetric:
            raise UsageError(
                "center: mean is for symmetric codes; an asymmetric range has its own offset",
                where="center",
                hint="leave center out (--center none), or symmetric",
            )
        size = wanted.group_size or "channel"
        return cls(wanted.bits or 0, size, symmetric, center, wanted.scales_of(size))

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
        from compress_core.kernels.groups import deviations, extremes, largest
        from compress_core.kernels.sums import group_sum

        if self.rounds == 2 and turn == 0:
            return group_sum(values, kept)
        if not self.symmetric:
            return dict(zip(("low", "high"), extremes(values), strict=True))
        if self.center == "mean":
            values = deviations(values, found["mean"], kept)
        return {"amax": largest(values)}

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.scales import stored_mean, stored_scale
        from compress_core.kernels.sums import mean_of

        if self.rounds == 2 and turn == 0:
            return found | {"mean": stored_mean(mean_of(statistics), self.scale_dtype)}
        if not self.symmetric:
            return found | self._range(statistics, fitting)
        step = np.divide(statistics["amax"], self._steps(fitting), dtype=np.float32)
        scale = stored_scale(step, self.scale_dtype, of_zero=self._of_zero(fitting))
        return found | {"scale": scale}

    def _steps(self, fitting: Fitting) -> float:
        """Steps of symmetric codes between 0 and the largest magnitude."""
        library = fitting.rule == "compressed-tensors"
        return (2**self.bits - 1) / 2 if library else self._half - 1

    def _lowest(self, fitting: Fitting) -> int:
        """The lowest of symmetric codes."""
        return 1 if fitting.rule == "absmax" and not fitting.searches else 0

    def rounding(self, fitting: Fitting) -> Rounding | None:
        from compress_core.kernels.rounding import Rounding

        if not self.symmetric or self.center == "mean":
            return None
        return Rounding(
            "integer",
            self._steps(fitting),
            self.scale_dtype,
            self._of_zero(fitting),
            low=self._lowest(fitting),
            high=2**self.bits - 1,
            after=self._half,
        )

    def coded(self, codes: NDArray[np.uint8], parameters: Parameters) -> Coded | None:
        from compress_core.kernels.rounding import Coded

        if not self.symmetric or self.center == "mean":
            return None
        width = self.width(codes.shape[1])
        return Coded(codes, width, parameters["scale"], "integer", self._half)

    def _of_zero(self, fitting: Fitting) -> float:
        """The scale of a group of zeros: 1, to the library the epsilon of the dtype."""
        return EPSILONS[self.scale_dtype] if fitting.rule == "compressed-tensors" else 1

    def _range(self, statistics: Parameters, fitting: Fitting) -> Parameters:
        """Scale and zero point of asymmetric codes."""
        import numpy as np

        from compress_core.kernels.scales import stored_scale

        low, high = statistics["low"], statistics["high"]
        top = 2**self.bits - 1
        if fitting.rule == "compressed-tensors":
            with np.errstate(over="ignore"):
                step = np.divide(high - low, top, dtype=np.float32)
            scale = stored_scale(step, self.scale_dtype, of_zero=self._of_zero(fitting))
            lowest = np.float32(-self._half)
            begin = lowest - low / np.where(step == 0, np.float32(1), step)
            zero = np.rint(np.clip(begin, lowest, lowest + np.float32(top))) - lowest
        else:
            step = ((high.astype(np.float64) - low) / top).astype(np.float32)
            scale = stored_scale(step, self.scale_dtype, upwards=self.bits == 8)
            zero = np.clip(np.rint(-low / scale), 0, top)
        return {"scale": scale, "zero_point": zero.astype(np.uint8)}

    @property
    def _half(self) -> int:
        return 1 << (self.bits - 1)

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        """Of a group that is the whole tensor; others have a search of their own."""
        import numpy as np

        from compress_core.kernels.scales import nearest_scale
        from compress_core.kernels.search import factors

        scale, top = found["scale"], np.float32(2**self.bits - 1)
        for share in factors(self.bits):
            with np.errstate(over="ignore"):
                narrower = nearest_scale(scale * share, self.scale_dtype)
            if self.symmetric:
                yield {"scale": narrower}
                if fitting.negative_scale:
                    yield {"scale": -narrower}
                continue
            zero = found["zero_point"].astype(np.float32)
            for moved in (zero, zero / share, top - (top - zero) / share):
                at = np.clip(np.rint(moved), 0, top).astype(np.uint8)
                yield {"scale": narrower, "zero_point": at}

    def search(
        self,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
        fitting: Fitting,
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.groups import deviations
        from compress_core.kernels.search import asymmetric_scale, chunks, symmetric_scale

        if self.group_size == "tensor":
            return super().search(values, kept, found, fitting)
        if "mean" in found:
            values = deviations(values, found["mean"], kept)
        flat = values.reshape(-1, values.shape[2])
        scale = found["scale"].reshape(-1).copy()
        zero = found["zero_point"].reshape(-1).astype(np.float32) if "zero_point" in found else None
        for part in chunks(*flat.shape):
            own = flat[part].T
            if zero is None:
                scale[part] = symmetric_scale(
                    own,
                    scale[part],
                    self.bits,
                    self.scale_dtype,
                    negative=fitting.negative_scale,
                )
            else:
                scale[part], zero[part] = asymmetric_scale(
                    own, scale[part], zero[part], self.bits, self.scale_dtype
                )
        shape = found["scale"].shape
        better = {"scale": scale.reshape(shape)}
        if zero is not None:
            better["zero_point"] = zero.reshape(shape).astype(np.uint8)
        return found | better

    def encode(
        self, values: NDArray[np.float32], parameters: Parameters, fitting: Fitting = FORMULA
    ) -> NDArray[np.uint8]:
        import numpy as np

        from compress_core.kernels.integers import integer_codes

        width, half, top = self.width(values.shape[1]), self._half, 2**self.bits - 1
        scale, zero = parameters["scale"], parameters.get("zero_point")
        if zero is None:
            low, mean = self._lowest(fitting), parameters.get("mean")
            return integer_codes(values, width, scale, mean=mean, after=half, low=low, high=top)
        if not fitting.searches and fitting.rule == "compressed-tensors":
            # the library adds its signed zero point first, which decides ties
            signed = zero.astype(np.float32) - half
            return integer_codes(values, width, scale, before=signed, after=half, low=0, high=top)
        return integer_codes(values, width, scale, after=zero, low=0, high=top)

    def decode(self, codes: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
        from compress_core.kernels.integers import integer_values

        zero = self._half if self.symmetric else parameters["zero_point"]
        return integer_values(
            codes,
            self.width(codes.shape[1]),
            parameters["scale"],
            zero=zero,
            mean=parameters.get("mean"),
        )

    def ends(self, parameters: Parameters) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import numpy as np

        from compress_core.kernels.clipping import in_order

        scale, top = parameters["scale"], np.float32(2**self.bits - 0.5)
        zero = np.asarray(self._half if self.symmetric else parameters["zero_point"], np.float32)
        mean = parameters.get("mean", np.float32(0))
        with np.errstate(over="ignore"):
            return in_order((np.float32(-0.5) - zero) * scale + mean, (top - zero) * scale + mean)

    def zero_codes(self, parameters: Parameters, columns: int) -> NDArray[np.uint8]:
        import numpy as np

        from compress_core.kernels.groups import spread

        if self.symmetric:
            return np.array([[self._half]], dtype=np.uint8)
        return spread(parameters["zero_point"], self.width(columns), columns)
