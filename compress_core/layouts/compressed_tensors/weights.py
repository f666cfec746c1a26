"""The weights that a folder stores as codes, and the parts that they consist of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from compress_core.container import Reader
from compress_core.dtypes import DTYPES, DType
from compress_core.layouts.compressed_tensors.groups import Group
from compress_core.layouts.compressed_tensors.storage import Module, Storage
from compress_core.layouts.compressed_tensors.storages import storage_of
from compress_core.layouts.compressed_tensors.undecoded import NotDecodedError
from compress_core.schemes.base import Scheme
from compress_core.tensors import Form, TensorInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCALE = ".weight_scale"
_LOCALS = (
    *("weight", "weight_packed", "weight_scale", "weight_shape", "weight_zero_point"),
    *("weight_global_scale", "weight_g_idx"),
)
_OF_INPUTS = re.compile(r"(input|output)_(scale|zero_point|global_scale)")
_OF_CACHES = re.compile(r"[kvq]_(scale|zero_point)")
_NAMES_OF_DTYPES = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "float64": "F64"}


@dataclass(frozen=True)
class CodedWeight:
    """A weight that is stored as codes.

    :ivar part_names: its parts, in the order in which they are written.
    """

    info: TensorInfo
    form: Form
    part_names: tuple[str, ...]
    scheme: Scheme
    storage: Storage
    module: Module

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows, decoded in float32 and rounded once to the original dtype."""
        from compress_core.kernels.floats import narrow

        codes = self.storage.codes(self.module, self.scheme, self.info.shape[1], start, stop)
        parameters = self.storage.parameters(self.module, self.scheme, start, stop)
        return narrow(self.scheme.decode(codes, parameters), self.info.dtype.code)


def coded_weight(module: Module, group: Group, dtype: DType) -> CodedWeight:
    """The weight of a module.

    :raises NotDecodedError: its codes are of another kind.
    :raises FormatError: its parts do not belong together.
    """
    arguments = group.arguments
    storage = None if arguments is None else storage_of(group.format, arguments, module)
    if arguments is None or storage is None or "weight_g_idx" in module.locals:
        raise NotDecodedError(f"{group.format or 'codes'} of {module.name}")
    scheme = storage.scheme(arguments, module)
    if scheme is None:
        raise NotDecodedError(
            f"{group.format or storage.format} of {module.name}: {_said(arguments)}"
        )
    shape = storage.shape(module)
    expected = storage.stored(shape, scheme, arguments)
    module.check(expected)
    info = TensorInfo(f"{module.name}.weight", dtype, shape, shape[0] * shape[1] * dtype.bits // 8)
    form = Form(dtype, scheme, inputs=group.inputs)
    names = tuple(f"{module.name}.{local}" for local in expected)
    if arguments.block is not None:
        # blocks larger than the weight are one block: nothing is ever repeated beyond it
        module = replace(module, rows_of_block=min(arguments.block[0], shape[0]))
    return CodedWeight(info, form, names, scheme, storage, module)


def _said(arguments: Any) -> str:
    return f"{arguments.type}{arguments.num_bits} {arguments.strategy}"


def modules_of(stored: Reader) -> dict[str, Module]:
    """The modules with a scale and codes, in the order of their parts."""
    found: dict[str, Module] = {}
    for name in stored.infos:
        stem = name.removesuffix(_SCALE)
        if stem == name:
            continue
        locals_ = {
            local: stored.infos[f"{stem}.{local}"]
            for local in _LOCALS
            if f"{stem}.{local}" in stored.infos
        }
        if "weight" in locals_ or "weight_packed" in locals_:
            found[stem] = Module(stem, stored, locals_)
    return found


def parts_of_inputs(stored: Reader, config: Mapping[str, Any]) -> set[str]:
    """Scales of what layers get and give, which plain weights have no use for."""
    quantization = config.get("quantization_config") or config.get("compression_config") or {}
    cache = isinstance(quantization, Mapping) and quantization.get("kv_cache_scheme")
    return {
        name
        for name in stored.infos
        if _OF_INPUTS.fullmatch(word := name.rpartition(".")[2])
        or (cache and _OF_CACHES.fullmatch(word))
    }


def usual_dtype(stored: Reader, modules: Mapping[str, Module]) -> DType:
    """The dtype of weights that nothing is recorded of.

    That which ``config.json`` says (``dtype``, or ``torch_dtype`` of older versions); else the one
    that most elements of plain weights have; else that of the scales; else BF16.
    """
    named = _configured(stored.config or {})
    if named is not None:
        return DTYPES[named]
    elements: Counter[str] = Counter()
    scales = {f"{name}{_SCALE}" for name in modules}
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
