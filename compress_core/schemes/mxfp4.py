"""MXFP4: 4-bit floats (E2M1) and a power of two for each group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from compress_core.schemes._fp4 import Fp4
from compress_core.schemes._microscaled import Microscaled


@dataclass(frozen=True)
class Mxfp4(Microscaled, Fp4):
    """E2M1 numbers times a power of two."""

    id: ClassVar[str] = "mxfp4"
    rules: ClassVar[tuple[str, ...]] = ("absmax", "compressed-tensors", "mlx")
    usual_group: ClassVar[int] = 32
    largest: ClassVar[float] = 6.0
    exponent: ClassVar[int] = 2
