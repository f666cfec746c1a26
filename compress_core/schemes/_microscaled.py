"""What formats share whose scales are powers of two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from compress_core.fitting import Fitting
from compress_core.schemes._scaled import Scaled
from compress_core.schemes.base import Parameters


@dataclass(frozen=True)
class Microscaled(Scaled):
    """``value = number · 2^e`` (OCP Microscaling Formats 1.0); the groups are of 32 columns.

    The formula is that of compressed-tensors (0.20, ``generate_mx_scales``): e is the exponent of
    max|w|, or the next where its mantissa is 1.75 or more, minus that of the largest number. By the
    rule ``mlx`` (0.32), e is the least that max|w| does not exceed. A search also tries the
    neighbours of e.

    :cvar largest: the largest number; ``exponent``: of two in it.
    """

    largest: ClassVar[float]
    exponent: ClassVar[int]

    @property
    def _dtype_of_scales(self) -> str:
        return "F8_E8M0"

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.scales import covering_microscale, microscale

        amax = statistics["amax"]
        if fitting.rule == "mlx":
            return found | {"scale": covering_microscale(amax, np.float32(self.largest))}
        scale = microscale(amax, self.exponent)
        if fitting.rule == "absmax":  # the library has the smallest scale for zeros
            scale = np.where(amax == 0, np.float32(1), scale)
        return found | {"scale": scale}

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        import numpy as np

        for factor in (2.0, 0.5):
            scale = np.clip(found["scale"] * np.float32(factor), 2.0**-127, 2.0**127)
            yield {"scale": scale.astype(np.float32)}
