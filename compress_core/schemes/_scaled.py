"""What formats share whose values are numbers of a table times the scale of their group."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from compress_core.fitting import FORMULA, Fitting
from compress_core.schemes.base import Parameter, Parameters, Scheme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaled(Scheme):
    """``value = number · scale``: a table that holds 0, and a scale that follows from max|w|.

    :cvar zero_code: the code of 0.
    """

    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]] = {"amax": "max"}
    zero_code: ClassVar[int] = 0

    @abstractmethod
    def nearest(self, units: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Codes of the numbers nearest to values in units of their scale."""

    @abstractmethod
    def numbers(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Numbers of codes, in a new array.

        :raises FormatError: a code that stands for no number.
        """

    def unit(self, parameters: Parameters) -> NDArray[np.float32]:
        """What a number of 1 stands for: (rows, groups)."""
        return parameters["scale"]

    @property
    def rounds(self) -> int:
        return 1

    @property
    def holds_zero(self) -> bool:
        return True

    def parameters(self) -> dict[str, Parameter]:
        return {"scale": Parameter(dtype=self._dtype_of_scales)}

    @property
    def _dtype_of_scales(self) -> str:
        return str(getattr(self, "scale_dtype", ""))

    def observe(
        self,
        turn: int,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
    ) -> Parameters:
        from compress_core.kernels.groups import largest

        return {"amax": largest(values)}

    def in_units(
        self, values: NDArray[np.float32], unit: NDArray[np.float32], fitting: Fitting
    ) -> NDArray[np.float32]:
        """Values as multiples of their scale."""
        quotient: NDArray[np.float32] = values / unit
        return quotient

    def encode(
        self, values: NDArray[np.float32], parameters: Parameters, fitting: Fitting = FORMULA
    ) -> NDArray[np.uint8]:
        import numpy as np

        from compress_core.kernels.groups import grouped, ungrouped

        columns = values.shape[1]
        work = grouped(values, self.width(columns))
        with np.errstate(over="ignore"):
            units = self.in_units(work, self.unit(parameters)[:, :, None], fitting)
        return ungrouped(self.nearest(units), columns)

    def decode(self, codes: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
        import numpy as np

        from compress_core.kernels.groups import grouped, ungrouped

        columns = codes.shape[1]
        unit = self.unit(parameters)
        values = self.numbers(grouped(codes, self.width(columns)))
        with np.errstate(over="ignore"):
            values *= unit[:, :, None]
        if (unit < 0).any():
            values += np.float32(0)  # zero times a negative scale is -0.0
        return ungrouped(values, columns)

    def zero_codes(self, parameters: Parameters, columns: int) -> NDArray[np.uint8]:
        import numpy as np

        return np.full((1, 1), self.zero_code, dtype=np.uint8)
