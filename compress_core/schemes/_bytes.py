"""What formats share whose numbers are 8-bit floats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from compress_core.errors import FormatError
from compress_core.fitting import Fitting
from compress_core.schemes._scaled import Scaled
from compress_core.schemes.base import EPSILONS, Parameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.kernels.scaled import Number

LARGEST: Mapping[str, float] = {"e4m3": 448.0, "e5m2": 57344.0}


@dataclass(frozen=True)
class Bytes(Scaled):
    """``scale = max|w| / largest``; numbers are w / scale, rounded half to even and clipped."""

    @property
    def _named(self) -> str:
        """The kind of 8-bit float."""
        return str(getattr(self, "element", "e4m3"))

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.scales import stored_scale

        amax: NDArray[np.float32] = statistics["amax"]
        scale = amax / np.float32(LARGEST[self._named])
        of_zero = self._of_zero(fitting)
        return found | {"scale": stored_scale(scale, self._dtype_of_scales, of_zero=of_zero)}

    def _of_zero(self, fitting: Fitting) -> float:
        """The scale of a group of zeros: 1, to the library the epsilon of the dtype."""
        return EPSILONS[self._dtype_of_scales] if fitting.rule == "compressed-tensors" else 1

    @property
    def number(self) -> Number:
        return "F8_E4M3" if self._named == "e4m3" else "F8_E5M2"

    def check(self, codes: NDArray[np.uint8]) -> None:
        from compress_core.kernels.floats import has_nonfinite

        if has_nonfinite(codes, self.number):
            raise FormatError("codes that are NaN or infinite")
