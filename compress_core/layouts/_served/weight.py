"""A weight that is stored as codes in the parts of its layer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from compress_core.container import Reader
from compress_core.dtypes import DTYPES, DType
from compress_core.layouts._served.module import Module
from compress_core.schemes.base import Parameters, Scheme
from compress_core.tensors import Form, TensorInfo

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Quantized

_NAMES_OF_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "float64": "F64"}


class Decoding(Protocol):
    """How codes and parameters lie in the parts of a layer."""

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        """The codes of some rows."""

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        """The parameters of some rows."""


@dataclass(frozen=True)
class CodedWeight:
    """A weight that is stored as codes.

    :ivar part_names: its parts, in the order in which they are written.
    """

    info: TensorInfo
    form: Form
    part_names: tuple[str, ...]
    scheme: Scheme
    decoding: Decoding
    module: Module

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows, decoded in float32 and rounded once to the original dtype."""
        from compress_core.kernels.floats import narrow

        found = self.quantized(start, stop)
        return narrow(self.scheme.decode(found.codes, found.parameters), self.info.dtype.code)

    def quantized(self, start: int, stop: int) -> Quantized:
        """Rows as codes."""
        from compress_core.tiles import Quantized

        codes = self.decoding.codes(self.module, self.scheme, self.info.matrix[1], start, stop)
        parameters = self.decoding.parameters(self.module, self.scheme, start, stop)
        return Quantized(self.scheme, codes, parameters)


def weight_info(module: str, dtype: DType, shape: tuple[int, ...]) -> TensorInfo:
    """The weight of a layer, before it was stored as codes."""
    return TensorInfo(f"{module}.weight", dtype, shape, math.prod(shape) * dtype.bits // 8)


def usual_dtype(stored: Reader, scales: Collection[str]) -> DType:
    """The dtype of weights that nothing is recorded of.

    That which ``config.json`` says (``dtype``, or ``torch_dtype`` of older versions); else the one
    that most elements of plain weights have; else that of the scales; else BF16.

    :param scales: names of the parts that are scales of codes.
    """
    named = _configured(stored.config or {})
    if named is not None:
        return DTYPES[named]
    elements: Counter[str] = Counter()
    for name, info in stored.infos.items():
        if info.dtype.is_weight:
            # a scale tells only where nothing else does
            elements[info.dtype.code] += 0 if name in scales else info.elements
    return DTYPES[elements.most_common(1)[0][0] if elements else "BF16"]


def _configured(config: Mapping[str, Any]) -> str | None:
    inner = config.get("text_config")
    for one in (config, inner if isinstance(inner, Mapping) else {}):
        for key in ("dtype", "torch_dtype"):
            said = one.get(key)
            if isinstance(said, str) and said.removeprefix("torch.") in _NAMES_OF_DTYPES:
                return _NAMES_OF_DTYPES[said.removeprefix("torch.")]
    return None
