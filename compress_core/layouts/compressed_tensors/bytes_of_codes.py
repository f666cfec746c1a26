"""``int-quantized``, ``float-quantized`` and ``naive-quantized``: a byte for each weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import Once, PartSpec, Piece, Rows
from compress_core.layouts.compressed_tensors.arguments import Arguments
from compress_core.layouts.compressed_tensors.packed_integers import integer_weights, integers_of
from compress_core.layouts.compressed_tensors.storage import (
    Module,
    Storage,
    matrix_of,
    scale_part,
)
from compress_core.schemes.base import Parameters, Scheme
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Quantized

# a code is unsigned, and the byte of a signed integer differs from it in the highest bit alone
_SIGN = 0x80


class IntegerBytes(Storage):
    """``weight`` holds signed integers of 8 bits (or fewer, one a byte)."""

    format: ClassVar[str] = "int-quantized"
    others: ClassVar[tuple[str, ...]] = ("naive-quantized",)

    def holds(self, form: Form) -> bool:
        scheme = form.scheme
        eight = isinstance(scheme, Integer) and scheme.bits == 8 and scheme.symmetric
        whole = scheme is not None and scheme.group_size in ("channel", "tensor")
        return eight and whole and form.inputs == "int8"

    def unread(self, form: Form) -> str | None:
        return None

    def weights(self, scheme: Scheme) -> dict[str, Any]:
        return integer_weights(scheme)

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        rows, columns = shape
        kinds = scheme.parameters()
        scale = scale_part(rows, scheme.groups(columns), scheme, kinds["scale"].dtype)
        found = {"weight": PartSpec("I8", shape, "rows"), "weight_scale": scale}
        if "zero_point" in kinds:
            found["weight_zero_point"] = PartSpec("I8", scale.shape, scale.placed)
        return found

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        import numpy as np

        from compress_core.kernels.floats import narrow

        kinds = quantized.scheme.parameters()
        scale = narrow(quantized.parameters["scale"], kinds["scale"].dtype)
        weight = (quantized.codes ^ np.uint8(_SIGN)).view(np.int8)
        found: dict[str, Piece] = {"weight": Rows(start, weight)}
        if quantized.scheme.group_size != "tensor":
            found["weight_scale"] = Rows(start, scale)
        elif start == 0:
            found["weight_scale"] = Once(scale.reshape(1))
        return found

    def has(self, arguments: Arguments, module: Module) -> bool:
        return arguments.type == "int" and "weight" in module.locals

    def scheme(self, arguments: Arguments, module: Module) -> Scheme | None:
        found = integers_of(arguments, module)
        return found if found is not None and found.bits == 8 else None

    def shape(self, module: Module) -> tuple[int, int]:
        return matrix_of(module.info("weight"))

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        return _unsigned(module.rows("weight", start, stop))

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        first, last = (0, 1) if scheme.group_size == "tensor" else (start, stop)
        found: Parameters = {"scale": module.floats("weight_scale", first, last)}
        if "zero_point" in scheme.parameters():
            found["zero_point"] = _unsigned(module.rows("weight_zero_point", first, last))
        return found


def _unsigned(signed: NDArray[Any]) -> NDArray[np.uint8]:
    import numpy as np

    return np.ascontiguousarray(signed).view(np.uint8) ^ np.uint8(_SIGN)
