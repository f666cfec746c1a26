"""``nvfp4-pack-quantized`` and ``mxfp4-pack-quantized``: two 4-bit floats (E2M1) in a byte."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import Once, PartSpec, Piece, Rows
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module, matrix_of
from compress_core.layouts.compressed_tensors.arguments import Arguments
from compress_core.layouts.compressed_tensors.storage import Storage
from compress_core.schemes.base import Parameters, Scheme
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Quantized


class _Nibbles(Storage):
    """Codes of 4 bits, the first of two in the low half of a byte, and a scale for each group.

    :cvar group: columns of a group.
    :cvar strategy: its name in the arguments.
    :cvar scale: dtype of the part of the scales, and of the numbers in it.
    """

    group: ClassVar[int]
    strategy: ClassVar[str]
    scale: ClassVar[tuple[str, str]]

    def unread(self, form: Form) -> str | None:
        return None

    def weights(self, scheme: Scheme) -> dict[str, Any]:
        return {
            "num_bits": 4,
            "type": "float",
            "symmetric": True,
            "group_size": self.group,
            "strategy": self.strategy,
            "dynamic": False,
        }

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        rows, columns = shape
        return {
            "weight_packed": PartSpec("U8", (rows, columns // 2), "rows"),
            "weight_scale": PartSpec(self.scale[0], (rows, columns // self.group), "rows"),
        }

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        from compress_core.kernels.bits import pack
        from compress_core.kernels.floats import narrow

        scale = narrow(quantized.parameters["scale"], self.scale[1])
        return {
            "weight_packed": Rows(start, pack(quantized.codes, 4)),
            "weight_scale": Rows(start, scale),
        }

    def _fits(self, arguments: Arguments) -> bool:
        number = (arguments.type, arguments.num_bits, arguments.symmetric)
        return number == ("float", 4, True) and arguments.group_size == self.group

    def shape(self, module: Module) -> tuple[int, int]:
        rows, pairs = matrix_of(module.info("weight_packed"))
        if 2 * pairs % self.group:
            raise FormatError(f"{2 * pairs} columns in groups of {self.group}", where=module.name)
        return rows, 2 * pairs

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        from compress_core.kernels.bits import unpack

        codes: NDArray[np.uint8] = unpack(module.rows("weight_packed", start, stop), 4, columns)
        return codes

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        return {"scale": module.floats("weight_scale", start, stop, self.scale[1])}


class Nvfp4Pairs(_Nibbles):
    """Scales are E4M3; one float for the tensor divides them: 1 for codes that have none."""

    format: ClassVar[str] = "nvfp4-pack-quantized"
    group: ClassVar[int] = 16
    strategy: ClassVar[str] = "tensor_group"
    scale: ClassVar[tuple[str, str]] = ("F8_E4M3", "F8_E4M3")

    def holds(self, form: Form) -> bool:
        scheme = form.scheme
        known = isinstance(scheme, Nvfp4) and scheme.group_size == self.group
        return known and form.inputs is None

    def has(self, arguments: Arguments, module: Module) -> bool:
        return self._fits(arguments) and "weight_global_scale" in module.locals

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        whole = {"weight_global_scale": PartSpec("F32", (1,), "once")}
        return super().parts(shape, scheme) | whole

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        import numpy as np

        found = super().pieces(start, shape, quantized)
        if start == 0:
            whole = quantized.parameters.get("global_scale", np.ones(1, np.float32))
            found["weight_global_scale"] = Once(whole.reshape(1))
        return found

    def scheme(self, arguments: Arguments, module: Module) -> Scheme | None:
        return Nvfp4(4, self.group)

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        whole = module.floats("weight_global_scale", 0, 1)
        return super().parameters(module, scheme, start, stop) | {"global_scale": whole}


class Mxfp4Pairs(_Nibbles):
    """Scales are powers of two: a byte e stands for 2^(e − 127)."""

    format: ClassVar[str] = "mxfp4-pack-quantized"
    group: ClassVar[int] = 32
    strategy: ClassVar[str] = "group"
    scale: ClassVar[tuple[str, str]] = ("U8", "F8_E8M0")

    def holds(self, form: Form) -> bool:
        scheme = form.scheme
        known = isinstance(scheme, Mxfp4) and scheme.group_size == self.group
        return known and form.inputs is None

    def has(self, arguments: Arguments, module: Module) -> bool:
        packed = "weight_packed" in module.locals and "weight_global_scale" not in module.locals
        return self._fits(arguments) and packed

    def scheme(self, arguments: Arguments, module: Module) -> Scheme | None:
        return Mxfp4(4, self.group)
