"""``pack-quantized``: integers of a few bits in 32-bit words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from compress_core.container import Once, PartSpec, Piece, Rows
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module, is_float, matrix_of
from compress_core.layouts._served.words import words
from compress_core.layouts.compressed_tensors.arguments import Arguments
from compress_core.layouts.compressed_tensors.storage import Storage, scale_part
from compress_core.schemes.base import Parameters, Scheme
from compress_core.schemes.integer import Integer
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compress_core.tiles import Quantized

_KERNEL_BITS = (4, 8)
_KERNEL_GROUPS = (32, 64, 128, "channel")


class PackedIntegers(Storage):
    """A row is one bit stream of unsigned codes, least significant bit first, filled up with zero
    bits to whole words. Zero points are such streams along ``out``: a column each.

    Up to version 0.17 the library wrote 3, 5, 6 and 7 bits another way, which is not read here.
    """

    format: ClassVar[str] = "pack-quantized"

    def holds(self, form: Form) -> bool:
        scheme = form.scheme
        return isinstance(scheme, Integer) and scheme.center == "none" and form.inputs is None

    def unread(self, form: Form) -> str | None:
        scheme = form.scheme
        if not isinstance(scheme, Integer):
            return None
        if not scheme.symmetric:
            return (
                "transformers 5.23 with compressed-tensors 0.18 to 0.20 refuses packed zero points,"
                " but for dequantize=True"
            )
        if scheme.bits not in _KERNEL_BITS:
            return f"vLLM 0.33 has kernels for packed integers of 4 and 8 bits, not {scheme.bits}"
        if scheme.group_size not in _KERNEL_GROUPS:
            groups = "groups of 32, 64 or 128 and channel"
            return f"vLLM 0.33 has kernels for {groups}, not {scheme.group_said}"
        return None

    def weights(self, scheme: Scheme) -> dict[str, Any]:
        return integer_weights(scheme)

    def row_multiple(self, scheme: Scheme) -> int:
        return 1 if _symmetric(scheme) else 32 // math.gcd(32, scheme.bits)

    def parts(self, shape: tuple[int, int], scheme: Scheme) -> dict[str, PartSpec]:
        rows, columns = shape
        groups = scheme.groups(columns)
        found = {
            "weight_packed": PartSpec("I32", (rows, words(columns, scheme.bits)), "rows"),
            "weight_scale": scale_part(rows, groups, scheme, _scale_dtype(scheme)),
            "weight_shape": PartSpec("I64", (2,), "once"),
        }
        if _symmetric(scheme):
            return found
        if scheme.group_size == "tensor":
            return found | {"weight_zero_point": PartSpec("I8", (1,), "once")}
        zeros = PartSpec("I32", (words(rows, scheme.bits), groups), "rows")
        return found | {"weight_zero_point": zeros}

    def pieces(self, start: int, shape: tuple[int, int], quantized: Quantized) -> dict[str, Piece]:
        import numpy as np

        from compress_core.kernels.bits import pack_words
        from compress_core.kernels.floats import narrow

        scheme = quantized.scheme
        scale = narrow(quantized.parameters["scale"], _scale_dtype(scheme))
        found: dict[str, Piece] = {
            "weight_packed": Rows(start, pack_words(quantized.codes, scheme.bits))
        }
        if scheme.group_size == "tensor":
            found |= {"weight_scale": Once(scale.reshape(1))} if start == 0 else {}
        else:
            found["weight_scale"] = Rows(start, scale)
        if start == 0:
            found["weight_shape"] = Once(np.array(shape, dtype="<i8"))
        return found if _symmetric(scheme) else found | _zero_points(start, quantized)

    def has(self, arguments: Arguments, module: Module) -> bool:
        return arguments.type == "int" and "weight_packed" in module.locals

    def scheme(self, arguments: Arguments, module: Module) -> Scheme | None:
        return integers_of(arguments, module)

    def shape(self, module: Module) -> tuple[int, int]:
        rows, _ = matrix_of(module.info("weight_packed"))
        module.check({"weight_shape": PartSpec("I64", (2,), "once")})
        out, columns = (int(side) for side in module.rows("weight_shape", 0, 1)[0])
        if out != rows or not 0 < columns < 2**40:
            raise FormatError(f"weight_shape is {[out, columns]}", where=module.name)
        return out, columns

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        from compress_core.kernels.bits import unpack_words

        return unpack_words(module.rows("weight_packed", start, stop), scheme.bits, columns)

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        import numpy as np

        if scheme.group_size == "tensor":
            one: Parameters = {"scale": module.floats("weight_scale", 0, 1)}
            if not _symmetric(scheme):
                zero = module.rows("weight_zero_point", 0, 1).astype(np.int16)
                one["zero_point"] = _as_code(zero + 2 ** (scheme.bits - 1), scheme, module)
            return one
        found: Parameters = {"scale": module.floats("weight_scale", start, stop)}
        if not _symmetric(scheme):
            found["zero_point"] = self._zeros(module, scheme, start, stop)
        return found

    def _zeros(self, module: Module, scheme: Scheme, start: int, stop: int) -> NDArray[np.uint8]:
        """Zero points of some rows, from words that hold those of several."""
        from compress_core.kernels.bits import unpack_words

        first = start - start % self.row_multiple(scheme)
        held = (first * scheme.bits // 32, words(stop, scheme.bits))
        stored = module.rows("weight_zero_point", *held)
        unpacked = unpack_words(stored.T, scheme.bits, stop - first)
        return unpacked.T[start - first :]


def integer_weights(scheme: Scheme) -> dict[str, Any]:
    """The arguments of integers."""
    size = scheme.group_size
    return {
        "num_bits": scheme.bits,
        "type": "int",
        "symmetric": _symmetric(scheme),
        "group_size": size if isinstance(size, int) else None,
        "strategy": "group" if isinstance(size, int) else size,
        "dynamic": False,
    }


def integers_of(arguments: Arguments, module: Module) -> Integer | None:
    """The scheme of stored integers; ``None``: it is none of ours."""
    groups, dtype = arguments.groups, module.info("weight_scale").dtype.code
    known = arguments.type == "int" and 2 <= arguments.num_bits <= 8 and is_float(dtype)
    if not known or groups is None:
        return None
    return Integer(arguments.num_bits, groups, arguments.symmetric, "none", dtype)


def _zero_points(start: int, quantized: Quantized) -> dict[str, Piece]:
    import numpy as np

    from compress_core.kernels.bits import pack_words

    scheme, zeros = quantized.scheme, quantized.parameters["zero_point"]
    if scheme.group_size == "tensor":
        half = 2 ** (scheme.bits - 1)
        signed = (zeros.astype(np.int16) - half).astype(np.int8).reshape(1)
        return {"weight_zero_point": Once(signed)} if start == 0 else {}
    packed = pack_words(np.ascontiguousarray(zeros.T), scheme.bits).T
    return {"weight_zero_point": Rows(start * scheme.bits // 32, np.ascontiguousarray(packed))}


def _as_code(zero: NDArray[Any], scheme: Scheme, module: Module) -> NDArray[np.uint8]:
    import numpy as np

    if ((zero < 0) | (zero >= 2**scheme.bits)).any():
        raise FormatError("its weight_zero_point is no code", where=module.name)
    return zero.astype(np.uint8)


def _symmetric(scheme: Scheme) -> bool:
    return "zero_point" not in scheme.parameters()


def _scale_dtype(scheme: Scheme) -> str:
    return scheme.parameters()["scale"].dtype
