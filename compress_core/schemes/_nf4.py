"""What formats share whose numbers are the quantiles of a normal distribution (NF4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from compress_core.errors import FormatError
from compress_core.fitting import Fitting
from compress_core.schemes._scaled import Scaled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.kernels.scaled import Number

GROUP = 64

WIDEST, NARROWEST, TRIALS = 1.1, 0.7, 17
"""The factors of a scale that a search tries."""


@dataclass(frozen=True)
class NormalFloat(Scaled):
    """Numbers of the table of Dettmers et al. 2023 (QLoRA, appendix E); the code is the nearest's.

    How the scales are stored tells the formats apart.
    """

    rules: ClassVar[tuple[str, ...]] = ("absmax", "bitsandbytes")
    zero_code: ClassVar[int] = 7

    def validate(self) -> None:
        super().validate()
        if self.bits != 4:
            raise FormatError(f"not settings of NF4 codes: {self!r}")

    @staticmethod
    def shares() -> NDArray[np.float32]:
        """Factors of a scale, for a search."""
        import numpy as np

        return np.linspace(WIDEST, NARROWEST, TRIALS, dtype=np.float32)

    @property
    def number(self) -> Number:
        return "nf4"

    def by_inverse(self, fitting: Fitting) -> bool:
        return fitting.rule == "bitsandbytes" and not fitting.searches
