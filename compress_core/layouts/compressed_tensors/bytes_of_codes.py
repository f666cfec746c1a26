"""``int-quantized``, ``float-quantized`` and ``naive-quantized``: a byte for each weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import Once, PartSpec, Piece, Rows
from compress_core.layouts._served.module import Module, is_float, matrix_of
from compress_core.layouts.compressed_tensors.arguments import Arguments
from compress_core.layouts.compressed_tensors.packed_integers import integer_weights, integers_of
from compress_core.layouts.compressed_tensors.storage import Storage, scale_part
from compress_core.schemes.base import Parameters, Scheme
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.fp8_block import Fp8Block
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Quantized

# a code is unsigned, and the byte of a signed integer differs from it in the highest bit alone
_SIGN = 0x80
_BLOCK = 128


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

        weight = (quantized.codes ^ np.uint8(_SIGN)).view(np.int8)
        return {"weight": Rows(start, weight), **_scales(start, quantized)}

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


class FloatBytes(Storage):
    """``weight`` holds 8-bit floats (E4M3), with a scale for the tensor, a row or a block."""

    format: ClassVar[str] = "float-quantized"
    others: ClassVar[tuple[str, ...]] = ("naive-quantized",)

    def holds(self, form: Form) -> bool:
        scheme = form.scheme
        if isinstance(scheme, Fp8Block):
            return scheme.group_size == _BLOCK and form.inputs in (None, "fp8")
        known = isinstance(scheme, Fp8) and scheme.element == "e4m3"
        whole = scheme is not None and scheme.group_size in ("channel", "tensor")
        return known and whole and form.inputs in (None, "fp8")

    def unread(self, form: Form) -> str | None:
        return None

    def weights(self, scheme: Scheme) -> dict[str, Any]:
        blocks = isinstance(scheme, Fp8Block)
        said = {
            "num_bits": 8,
            "type": "float",
            "symmetric": True,
            "group_size": None,
            "strategy": "block" if blocks else scheme.group_size,
            "dynamic": False,
        }
        return said | {"block_structure": [scheme.rows, _BLOCK]} if blocks else said

    def row_multiple(self, scheme: Scheme) -> int:
        return scheme.rows

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        rows, groups = -(-shape[0] // scheme.rows), scheme.groups(shape[1])
        scale = scale_part(rows, groups, scheme, scheme.parameters()["scale"].dtype)
        return {"weight": PartSpec("F8_E4M3", shape, "rows"), "weight_scale": scale}

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        return {"weight": Rows(start, quantized.codes), **_scales(start, quantized)}

    def has(self, arguments: Arguments, module: Module) -> bool:
        return arguments.type == "float" and "weight" in module.locals

    def scheme(self, arguments: Arguments, module: Module) -> Scheme | None:
        dtype = module.info("weight_scale").dtype.code
        known = (arguments.num_bits, arguments.symmetric) == (8, True) and is_float(dtype)
        if not known or module.info("weight").dtype.code != "F8_E4M3":
            return None
        if arguments.block == (Fp8Block(8, _BLOCK).rows, _BLOCK):
            return Fp8Block(8, _BLOCK, dtype)
        groups = arguments.groups if arguments.block is None else arguments.block[1]
        return None if groups is None else Fp8(8, groups, "e4m3", dtype)

    def stored(
        self, shape: tuple[int, int], scheme: Scheme, arguments: Arguments
    ) -> dict[str, PartSpec]:
        found = self.parts(shape, scheme)
        if arguments.block is None or scheme.rows > 1:
            return found
        # to the rows of any other block its scales are those of groups of columns
        scale = found["weight_scale"]
        rows = -(-shape[0] // arguments.block[0])
        return found | {"weight_scale": PartSpec(scale.dtype, (rows, scale.shape[1]), "rows")}

    def shape(self, module: Module) -> tuple[int, int]:
        return matrix_of(module.info("weight"))

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        return module.rows("weight", start, stop)

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        if scheme.group_size == "tensor":
            return {"scale": module.floats("weight_scale", 0, 1)}
        return {"scale": module.floats_of_blocks("weight_scale", start, stop)}


def _scales(start: int, quantized: Quantized) -> dict[str, Piece]:
    from compress_core.kernels.floats import narrow

    kind = quantized.scheme.parameters()["scale"]
    scale = narrow(quantized.parameters["scale"], kind.dtype)
    if quantized.scheme.group_size != "tensor":
        high = quantized.scheme.rows
        return {"weight_scale": Rows(start // high, scale[::high])}
    return {"weight_scale": Once(scale.reshape(1))} if start == 0 else {}


def _unsigned(signed: NDArray[Any]) -> NDArray[np.uint8]:
    import numpy as np

    return np.ascontiguousarray(signed).view(np.uint8) ^ np.uint8(_SIGN)
