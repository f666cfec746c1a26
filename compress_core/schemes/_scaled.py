"""What formats share whose values are numbers of a table times the scale of their group."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from compress_core.fitting import FORMULA, Fitting
from compress_core.schemes.base import Parameter, Parameters, Scheme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.kernels.rounding import Coded
    from compress_core.kernels.scaled import Number


@dataclass(frozen=True)
class Scaled(Scheme):
    """``value = number · scale``: a table that holds 0, and a scale that follows from max|w|.

    :cvar zero_code: the code of 0.
    """

    reductions: ClassVar[Mapping[str, Literal["sum", "min", "max"]]] = {"amax": "max"}
    zero_code: ClassVar[int] = 0

    @property
    @abstractmethod
    def number(self) -> Number:
        """The format of the numbers."""

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

    def divisors(
        self, values: NDArray[np.float32], unit: NDArray[np.float32], fitting: Fitting
    ) -> tuple[NDArray[np.float32], bool]:
        """What (rows, columns) values are divided by to get numbers, for each group; and whether
        that is done by its inverse.
        """
        return unit, False

    def tried(
        self, values: NDArray[np.float32], found: Parameters, fitting: Fitting
    ) -> Iterator[Parameters]:
        """What a search compares with ``found`` in groups (rows, groups, width): :meth:`trials`."""
        return self.trials(found, fitting)

    def search(
        self,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
        fitting: Fitting,
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.scaled import best_unit

        if self.group_size == "tensor" or not len(values):
            return super().search(values, kept, found, fitting)
        tried = [found, *(found | changed for changed in self.tried(values, found, fitting))]
        flat, width = values.reshape(len(values), -1), values.shape[2]
        stays = None if kept is None else kept.reshape(flat.shape)
        units = np.stack([self.unit(one) for one in tried])
        best = best_unit(flat, stays, width, units, self.number)[None]
        chosen = {
            name: np.take_along_axis(np.stack([one[name] for one in tried]), best, axis=0)[0]
            for name in self._of_groups()
        }
        return found | chosen

    def errors(
        self,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        width: int,
        fitting: Fitting,
    ) -> Callable[[Parameters], NDArray[np.float64]]:
        from compress_core.kernels.scaled import scaled_errors

        return lambda parameters: scaled_errors(
            values, kept, width, self.unit(parameters), self.number
        )

    def encode(
        self, values: NDArray[np.float32], parameters: Parameters, fitting: Fitting = FORMULA
    ) -> NDArray[np.uint8]:
        from compress_core.kernels.scaled import scaled_codes

        width = self.width(values.shape[1])
        divisor, inverse = self.divisors(values, self.unit(parameters), fitting)
        return scaled_codes(values, width, divisor, self.number, inverse=inverse)

    def check(self, codes: NDArray[np.uint8]) -> None:
        """Whether all codes stand for numbers.

        :raises FormatError: some do not.
        """

    def coded(self, codes: NDArray[np.uint8], parameters: Parameters) -> Coded | None:
        from compress_core.kernels.rounding import Coded

        self.check(codes)
        return Coded(codes, self.width(codes.shape[1]), self.unit(parameters), self.number)

    def decode(self, codes: NDArray[np.uint8], parameters: Parameters) -> NDArray[np.float32]:
        from compress_core.kernels.scaled import scaled_values

        self.check(codes)
        width = self.width(codes.shape[1])
        return scaled_values(codes, width, self.unit(parameters), self.number)

    def ends(self, parameters: Parameters) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        import numpy as np

        from compress_core.kernels.clipping import in_order
        from compress_core.kernels.scaled import reach

        low, high = reach(self.bits, self.number)
        unit = self.unit(parameters)
        with np.errstate(over="ignore"):
            return in_order(low * unit, high * unit)

    def zero_codes(self, parameters: Parameters, columns: int) -> NDArray[np.uint8]:
        import numpy as np

        return np.full((1, 1), self.zero_code, dtype=np.uint8)
