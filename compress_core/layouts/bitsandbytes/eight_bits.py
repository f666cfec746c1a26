"""``LLM.int8()``: a signed byte for each weight, and the largest magnitude of each row.

Source: bitsandbytes 0.50, ``functional.py`` (``int8_vectorwise_quant``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module
from compress_core.schemes.base import Parameters, Scheme

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCALES = "SCB"
_STEPS = 127


class EightBits:
    """How they are read: a code of 127 is the largest magnitude."""

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        import numpy as np

        signed = np.ascontiguousarray(module.rows("weight", start, stop))
        return signed.view(np.uint8) ^ np.uint8(0x80)

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        import numpy as np

        largest = module.span(SCALES, start, stop, "<f4")
        if not np.isfinite(largest).all():
            raise FormatError(f"its {SCALES} holds NaN or infinity", where=module.name)
        return {"scale": (largest / np.float32(_STEPS)).reshape(-1, 1)}
