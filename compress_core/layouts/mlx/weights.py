"""The weights that a folder stores as codes, and the parts that they consist of."""

from __future__ import annotations

from compress_core.container import PartSpec, Reader
from compress_core.dtypes import DType
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight, weight_info
from compress_core.layouts.mlx.arguments import Arguments
from compress_core.layouts.mlx.modes import mode_named
from compress_core.tensors import Form, TensorInfo

SCALES = ".scales"
"""The part that all of them have."""
_LOCALS = ("weight", "scales", "biases", "global_scale")


def modules_of(stored: Reader) -> dict[str, Module]:
    """The modules with scales and words of codes, in the order of their parts."""
    found: dict[str, Module] = {}
    for name in stored.infos:
        stem = name.removesuffix(SCALES)
        words = stored.infos.get(f"{stem}.weight")
        if stem != name and words is not None and words.dtype.code == "U32":
            found[stem] = Module(stem, stored, _locals(stem, stored))
    return found


def _locals(stem: str, stored: Reader) -> dict[str, TensorInfo]:
    named = {local: f"{stem}.{local}" for local in _LOCALS}
    return {local: stored.infos[part] for local, part in named.items() if part in stored.infos}


def coded_weight(
    module: Module, arguments: Arguments, dtype: DType, *, symmetric: bool = False
) -> CodedWeight:
    """The weight of a module. What MLX stacks, such as experts, has three dimensions.

    :param symmetric: whether affine codes are recorded as symmetric integers.
    :raises NotDecodedError: its codes are of another kind.
    :raises FormatError: its parts do not belong together.
    """
    mode, bits, group = mode_named(arguments.mode), arguments.bits, arguments.group_size
    if mode is None or "global_scale" in module.locals:
        raise NotDecodedError(f"mode {arguments.mode:.40} of {module.name}")
    scheme = mode.scheme(bits, group, module, symmetric=symmetric)
    if scheme is None:
        raise NotDecodedError(f"{arguments.mode} codes of {bits} bits, g{group}, of {module.name}")
    *front, groups = module.info("scales").shape or (0,)
    shape = (*front, groups * group)
    if len(shape) < 2 or 0 in shape or shape[-1] * bits % 32:
        raise FormatError(f"scales of the shape {[*front, groups]}", where=module.name)
    specs = {
        local: PartSpec(spec.dtype, (*front, *spec.shape[1:]), spec.placed)
        for local, spec in mode.parts((front[0], shape[-1]), scheme).items()
    }
    module.check(specs)
    names = tuple(f"{module.name}.{local}" for local in specs)
    info = weight_info(module.name, dtype, shape)
    return CodedWeight(info, Form(dtype, scheme), names, scheme, mode, module)
