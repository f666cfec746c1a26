"""What somebody asks of a number format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compress_core.errors import UsageError

GroupSize = int | Literal["channel", "tensor"]
AUTO = "AUTO"


@dataclass(frozen=True)
class Wanted:
    """What somebody asks of a scheme; ``None``: nothing was said.

    :ivar scale_dtype: code of a dtype, or ``AUTO``.
    :ivar dtype: code of the tensor's dtype.
    :ivar scales: dtype of scales where ``AUTO`` is asked for; ``None``: see :meth:`scales_of`.
    :ivar global_scale: whether one scale for the whole tensor may stand beside those of its groups.
    """

    bits: int | None = None
    group_size: GroupSize | None = None
    symmetric: bool | None = None
    center: Literal["none", "mean"] | None = None
    element: Literal["e4m3", "e5m2"] | None = None
    scale_dtype: str = AUTO
    dtype: str = "F32"
    scales: str | None = None
    global_scale: bool = True

    def scales_of(self, group_size: GroupSize) -> str:
        """The dtype of scales: as asked, or F32; for groups of columns 16 bits."""
        if self.scale_dtype != AUTO:
            return self.scale_dtype
        if self.scales is not None:
            return self.scales
        if not isinstance(group_size, int):
            return "F32"
        return self.dtype if self.dtype in ("F16", "BF16") else "F16"

    def refuse(self, scheme: str, bits: int | None, *names: str) -> None:
        """Refuse options that ``scheme`` does not have, and other widths than ``bits``.

        :raises UsageError: one of ``names`` was asked for.
        """
        if bits is not None and self.bits not in (None, bits):
            raise UsageError(
                f"{scheme} has codes of {bits} bits", where="bits", hint="leave bits out"
            )
        for name in names:
            if getattr(self, name) not in (None, AUTO):
                raise UsageError(
                    f"{name} is no option of {scheme}", where=name, hint=f"leave {name} out"
                )
