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
        dtype = self._dtype_of_scales
        of_zero = EPSILONS[dtype] if fitting.rule == "compressed-tensors" else 1
        return found | {"scale": stored_scale(scale, dtype, of_zero=of_zero)}

    @property
    def _dtype(self) -> str:
        return f"F8_{self._named.upper()}"

    def nearest(self, units: NDArray[np.float32]) -> NDArray[np.uint8]:
        from compress_core.kernels.floats import narrow

        return narrow(units, self._dtype)

    def numbers(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        from compress_core.kernels.floats import has_nonfinite, widen

        if has_nonfinite(codes, self._dtype):
            raise FormatError("codes that are NaN or infinite")
        return widen(codes, self._dtype)
