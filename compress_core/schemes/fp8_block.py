"""8-bit floats (E4M3) with a scale for each block of rows and columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from compress_core.errors import FormatError, UsageError
from compress_core.fitting import Fitting
from compress_core.schemes._bytes import Bytes
from compress_core.schemes.base import GroupSize, Parameters, Wanted, check_scales

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROWS = 128


@dataclass(frozen=True)
class Fp8Block(Bytes):
    """``value = number · scale``; 128 rows of a group share its scale, those at the end fewer.

    Each row has the scales of its blocks, as with ``fp8``; all rows of a block have the same.
    Nothing is searched for: the numbers are floats, and only the largest decides.
    """

    id: ClassVar[str] = "fp8-block"
    rules: ClassVar[tuple[str, ...]] = ("absmax", "compressed-tensors")

    bits: int
    group_size: GroupSize
    scale_dtype: str = "F32"

    @classmethod
    def asked(cls, wanted: Wanted) -> Self:
        wanted.refuse(cls.id, 8, "symmetric", "center", "element")
        size = wanted.group_size or ROWS
        if not isinstance(size, int):
            said = f"a block has so many columns, not a {size}"
            raise UsageError(said, where="group_size", hint="--group-size 128, or --scheme fp8")
        return cls(8, size, wanted.scales_of(size))

    def __str__(self) -> str:
        return f"fp8 {ROWS}x{self.group_size}"

    def validate(self) -> None:
        super().validate()
        check_scales(self.scale_dtype)
        if self.bits != 8 or not isinstance(self.group_size, int):
            raise FormatError(f"not settings of blocks of 8-bit floats: {self!r}")

    @property
    def rows(self) -> int:
        return ROWS

    def observe(
        self,
        turn: int,
        values: NDArray[np.float32],
        kept: NDArray[np.bool_] | None,
        found: Parameters,
    ) -> Parameters:
        import numpy as np

        largest = super().observe(turn, values, kept, found)["amax"]
        rows, groups = largest.shape
        padded = np.zeros((-(-rows // ROWS) * ROWS, groups), np.float32)
        padded[:rows] = largest
        blocks = padded.reshape(-1, ROWS, groups).max(axis=1)
        return {"amax": np.repeat(blocks, ROWS, axis=0)[:rows]}

    def trials(self, found: Parameters, fitting: Fitting) -> Iterator[Parameters]:
        yield from ()
