"""The weights that a folder stores as codes, and the parts that they consist of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from compress_core.container import Reader
from compress_core.dtypes import DType
from compress_core.layouts._served.module import Module
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight, weight_info
from compress_core.layouts.compressed_tensors.groups import Group
from compress_core.layouts.compressed_tensors.storages import storage_of
from compress_core.tensors import Form

SCALE = ".weight_scale"
"""The part that all of them have."""
_LOCALS = (
    *("weight", "weight_packed", "weight_scale", "weight_shape", "weight_zero_point"),
    *("weight_global_scale", "weight_g_idx"),
)
_OF_INPUTS = re.compile(r"(input|output)_(scale|zero_point|global_scale)")
_OF_CACHES = re.compile(r"[kvq]_(scale|zero_point)")


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
    info = weight_info(module.name, dtype, shape)
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
        stem = name.removesuffix(SCALE)
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
