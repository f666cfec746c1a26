"""What conventions of linear layers have in common: from parts that stand together to weights.

No NumPy here: what the tensors are is known from headers and ``config.json``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress_core.container import Reader
from compress_core.dtypes import DType
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module
from compress_core.layouts._served.opening import open_coded
from compress_core.layouts._served.record import Recorder
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight, Decoding, usual_dtype, weight_info
from compress_core.schemes.base import Parameters, Scheme
from compress_core.tensors import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHT = ".weight"
_OF_INPUTS = re.compile(r"(input|output|activation|[kqv])_scale")


def described(reader: Reader) -> Mapping[str, Any] | None:
    """What ``config.json`` says of codes; ``None``: nothing."""
    found = (reader.config or {}).get("quantization_config")
    return found if isinstance(found, Mapping) else None


def modules_of(stored: Reader, locals_: Sequence[str]) -> dict[str, Module]:
    """The modules with a matrix ``weight``, and those of some other parts that they have.

    :param locals_: names of the other parts.
    """
    found: dict[str, Module] = {}
    for name, info in stored.infos.items():
        stem = name.removesuffix(WEIGHT)
        if stem != name and len(info.shape) == 2:
            own = {local: stored.infos.get(f"{stem}.{local}") for local in ("weight", *locals_)}
            there = {local: part for local, part in own.items() if part is not None}
            found[stem] = Module(stem, stored, there)
    return found


def opened(
    stored: Reader,
    convention: str,
    modules: Mapping[str, Module],
    weight_of: Callable[[Module, DType], CodedWeight],
) -> Reader | None:
    """A reader of what the parts of ``modules`` stand for; ``None``: they are not decoded here.

    :param convention: its id, for notes.
    :param weight_of: the weight of a module, decoded to a dtype; it raises NotDecodedError.
    :raises FormatError: the parts do not belong together.
    """
    parts = {f"{name}.{local}" for name, one in modules.items() for local in one.locals}
    dtype = usual_dtype(stored, parts)

    def coded_weights() -> dict[str, CodedWeight]:
        found = [weight_of(module, dtype) for module in modules.values()]
        _refuse_others(stored, {part for one in found for part in one.part_names})
        return {one.info.name: one for one in found}

    left_out = [
        name
        for name, info in stored.infos.items()
        if _OF_INPUTS.fullmatch(name.rpartition(".")[2]) and info.elements == 1
    ]
    return open_coded(stored, Recorder(convention), coded_weights, left_out)


def _refuse_others(stored: Reader, parts: set[str]) -> None:
    """Codes that nothing decodes must not pass for tensors of a decoded checkpoint."""
    for name, info in stored.infos.items():
        if name not in parts and info.dtype.is_float and not info.dtype.is_weight:
            raise NotDecodedError(f"{name} ({info.dtype} {list(info.shape)})")


@dataclass(frozen=True)
class Scales:
    """The part of the scales of 8-bit floats.

    :ivar local: its name beside ``weight``.
    :ivar code: the dtype of its numbers, which may be held as bytes.
    """

    local: str
    code: str

    def codes(
        self, module: Module, scheme: Scheme, columns: int, start: int, stop: int
    ) -> NDArray[np.uint8]:
        """The codes of some rows: bit patterns of numbers."""
        return module.rows("weight", start, stop)

    def parameters(self, module: Module, scheme: Scheme, start: int, stop: int) -> Parameters:
        """The scales of some rows."""
        if scheme.group_size == "tensor":
            return {"scale": module.floats(self.local, 0, 1, self.code)}
        if len(module.info(self.local).shape) == 1:
            return {"scale": module.floats(self.local, 0, 1, self.code)[0, start:stop, None]}
        return {"scale": module.floats_of_blocks(self.local, start, stop, self.code)}


def coded(
    module: Module,
    parts: Sequence[str],
    dtype: DType,
    shape: tuple[int, int],
    scheme: Scheme,
    decoding: Decoding,
    *,
    shown: Scheme | None = None,
) -> CodedWeight:
    """The weight that some parts of a module make.

    :param shown: the scheme that it counts as, where ``scheme`` only decodes it.
    """
    info = weight_info(module.name, dtype, shape)
    names = tuple(f"{module.name}.{local}" for local in parts)
    return CodedWeight(info, Form(dtype, shown or scheme), names, scheme, decoding, module)


def misshapen(module: Module, local: str) -> FormatError:
    """A part whose dtype or shape goes with no weight of this shape."""
    part, weight = module.info(local), module.info("weight")
    said = f"part {module.name}.{local} is {part.dtype} {list(part.shape)}"
    return FormatError(
        f"{said}, and its weight {weight.dtype} {list(weight.shape)}", where=module.name
    )
