"""MXFP4: 4-bit floats (E2M1) and a power of two for each group."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from compress_core.fitting import Fitting
from compress_core.schemes._fp4 import Fp4
from compress_core.schemes.base import Parameters


@dataclass(frozen=True)
class Mxfp4(Fp4):
    """``value = number · 2^e`` (OCP Microscaling Formats 1.0); its groups are of 32 columns.

    The formula is that of compressed-tensors (0.20, ``generate_mx_scales``): e is the exponent of
    max|w|, or the next where its mantissa is 1.75 or more, minus 2. A search also tries the
    neighbours of e.
    """

    id: ClassVar[str] = "mxfp4"
    usual_group: ClassVar[int] = 32

    @property
    def _dtype_of_scales(self) -> str:
        return "F8_E8M0"

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.scales import microscale

        scale = microscale(statistics["amax"])
        if fitting.rule == "absmax":  # the library has the smallest scale for zeros
            scale = np.where(statistics["amax"] == 0, np.float32(1), scale)
        return found | {"scale": scale}

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        import numpy as np

        for factor in (2.0, 0.5):
            scale = np.clip(found["scale"] * np.float32(factor), 2.0**-127, 2.0**127)
            yield {"scale": scale.astype(np.float32)}
