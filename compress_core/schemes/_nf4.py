"""What formats share whose numbers are the quantiles of a normal distribution (NF4)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from compress_core.errors import FormatError
from compress_core.fitting import Fitting
from compress_core.schemes._scaled import Scaled
from compress_core.schemes.base import Parameters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.kernels.scaled import Number

GROUP = 64


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

    @abstractmethod
    def stored(self, scale: NDArray[np.float32], found: Parameters) -> Parameters:
        """What stands for scales (rows, groups) as near as they can be stored."""

    def may_be_negative(self, fitting: Fitting) -> bool:
        """Whether scales may be below zero."""
        return fitting.negative_scale

    def tried(
        self, values: NDArray[np.float32], found: Parameters, fitting: Fitting
    ) -> Iterator[Parameters]:
        """The scale that a tally finds (:mod:`compress_core.kernels.steps`)."""
        import numpy as np

        from compress_core.kernels.search import chunks
        from compress_core.kernels.steps import nf4_step

        flat, negative = values.reshape(-1, values.shape[2]), self.may_be_negative(fitting)
        pieces = [nf4_step(flat[part].T, negative=negative) for part in chunks(*flat.shape)]
        yield self.stored(np.concatenate(pieces).reshape(values.shape[:2]), found)

    @property
    def number(self) -> Number:
        return "nf4"
