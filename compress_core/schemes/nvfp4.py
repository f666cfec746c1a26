"""NVFP4: 4-bit floats (E2M1), an 8-bit float for each group and one float for the tensor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

from compress_core.errors import FormatError
from compress_core.fitting import Fitting
from compress_core.schemes._fp4 import Fp4
from compress_core.schemes.base import GroupSize, Parameter, Parameters, Wanted, added

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST = 448 * 6
"""The largest product of a scale (E4M3) and a number (E2M1)."""


@dataclass(frozen=True)
class Nvfp4(Fp4):
    """``value = number · (scale / global_scale)``; its groups are of 16 columns.

    ``global_scale = (1 / max|w|) · 448 · 6`` over the tensor, a divisor as in compressed-tensors
    (0.20, ``generate_gparam``), so that the largest scale is the largest E4M3 number. ``scale`` is
    ``max|w| / 6 · global_scale`` over the group, rounded to E4M3. A search tries the E4M3 numbers
    around it.

    Without a global scale, as in MLX, it is 1 in all of this, and is not stored. By the rule
    ``mlx`` (0.32) a scale that rounds to 0 stays 0, and its group is zeros.

    :ivar global_scale: whether there is one.
    """

    id: ClassVar[str] = "nvfp4"
    rules: ClassVar[tuple[str, ...]] = ("absmax", "compressed-tensors", "mlx")
    usual_group: ClassVar[int] = 16

    bits: int
    group_size: GroupSize
    global_scale: bool = added(default=True)

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        scheme = super().asked(wanted)
        return replace(scheme, global_scale=wanted.global_scale)

    def validate(self) -> None:
        super().validate()
        if type(self.global_scale) is not bool:
            raise FormatError(f"not settings of nvfp4 codes: {self!r}")

    @property
    def rounds(self) -> int:
        return 2 if self.global_scale else 1

    @property
    def surveys(self) -> int:
        return max(super().surveys, 1) if self.global_scale else super().surveys

    def parameters(self) -> dict[str, Parameter]:
        scale = {"scale": Parameter(dtype="F8_E4M3")}
        if not self.global_scale:
            return scale
        return scale | {"global_scale": Parameter(dtype="F32", whole=True)}

    def conclude(
        self, turn: int, statistics: Parameters, found: Parameters, fitting: Fitting
    ) -> Parameters:
        import numpy as np

        from compress_core.kernels.floats import narrow, widen

        amax: NDArray[np.float32] = statistics["amax"]
        if self.global_scale and turn == 0:
            return {"global_scale": self._global(amax, fitting)}
        scale = amax / np.float32(6)
        if self.global_scale:
            scale = found["global_scale"] * scale
        rounded = widen(narrow(scale, "F8_E4M3"), "F8_E4M3")
        if fitting.rule == "compressed-tensors" and self.global_scale:
            # what rounds to 0 gets the library's epsilon
            rounded = np.where(rounded == 0, np.float32(0.125), rounded)
        elif fitting.rule != "mlx":
            rounded = np.maximum(rounded, np.float32(2.0**-9))
            rounded = np.where(amax == 0, np.float32(1), rounded)
        return {"scale": rounded} | found

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        """E4M3 numbers, of which there are 8 in an octave: six above the scale, where the largest
        magnitude becomes 4 instead of 6, and two below it.
        """
        import numpy as np

        from compress_core.kernels.floats import narrow, widen

        codes = narrow(found["scale"], "F8_E4M3").astype(np.int16)
        for shift in (1, 2, 3, 4, 5, 6, -1, -2):
            other = np.clip(codes + shift, 1, 126).astype(np.uint8)
            yield {"scale": widen(other, "F8_E4M3")}

    def divisors(
        self, values: NDArray[np.float32], unit: NDArray[np.float32], fitting: Fitting
    ) -> tuple[NDArray[np.float32], bool]:
        import numpy as np

        return np.where(unit == 0, np.float32(np.inf), unit), False

    @staticmethod
    def _global(amax: NDArray[np.float32], fitting: Fitting) -> NDArray[np.float32]:
        """The global scale of a tensor. Where none is large enough, the library takes 1."""
        import numpy as np

        most = np.finfo(np.float32).max
        with np.errstate(over="ignore"):
            # as PyTorch divides a number by a tensor
            scale = np.float32(1) / np.maximum(amax, np.finfo(np.float32).tiny)
            scale *= np.float32(LARGEST)
        beyond = np.isinf(scale)
        otherwise = most if fitting.rule == "absmax" else np.float32(1)
        scale = np.where(beyond, otherwise, scale)
        return np.where(amax == 0, np.float32(1), scale)

    def unit(self, parameters: Parameters) -> NDArray[np.float32]:
        import numpy as np

        if not self.global_scale:
            return super().unit(parameters)
        if not (parameters["global_scale"] > 0).all():
            raise FormatError("a global scale that is not above zero")
        with np.errstate(over="ignore"):
            return np.asarray(parameters["scale"] / parameters["global_scale"])
