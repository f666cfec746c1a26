"""The names that a pickle of PyTorch may refer to, and what is said about others.

This is an allow-list: names are compared as whole strings, and nothing is ever looked up in Python.
They are those of ``torch._weights_only_unpickler`` (torch 2.13) without what is no plain tensor.
"""

from __future__ import annotations

import re

from compress_core.dtypes import DTYPES
from compress_core.errors import UnsupportedError
from compress_core.formats.torch.records import Call, Callee, DTypeName, Marker, StorageClass
from compress_core.strict_json import shown

_STORAGES = {
    "Float": "F32",
    "Double": "F64",
    "Half": "F16",
    "BFloat16": "BF16",
    "Long": "I64",
    "Int": "I32",
    "Short": "I16",
    "Char": "I8",
    "Byte": "U8",
    "Bool": "BOOL",
    "ComplexFloat": "C64",
}
_DTYPES = {
    "float32": "F32",
    "float64": "F64",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "bool": "BOOL",
    "complex64": "C64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fnuz": "F8_E4M3FNUZ",
    "float8_e5m2fnuz": "F8_E5M2FNUZ",
    "float8_e8m0fnu": "F8_E8M0",
}
_CALLS: dict[tuple[str, str], Call] = {
    ("collections", "OrderedDict"): "OrderedDict",
    ("torch._utils", "_rebuild_tensor"): "rebuild_tensor",
    ("torch._utils", "_rebuild_tensor_v2"): "rebuild_tensor_v2",
    ("torch._utils", "_rebuild_tensor_v3"): "rebuild_tensor_v3",
    ("torch._utils", "_rebuild_parameter"): "rebuild_parameter",
    ("torch", "Size"): "Size",
    ("torch", "device"): "device",
}

_ALLOWED: dict[tuple[str, str], Marker] = {
    ("torch.storage", "UntypedStorage"): StorageClass(
        "torch.storage.UntypedStorage", DTYPES["U8"], untyped=True
    ),
    **{
        ("torch", f"{name}Storage"): StorageClass(f"torch.{name}Storage", DTYPES[code])
        for name, code in _STORAGES.items()
    },
    **{("torch", name): DTypeName(f"torch.{name}", DTYPES[code]) for name, code in _DTYPES.items()},
    **{(module, name): Callee(f"{module}.{name}", call) for (module, name), call in _CALLS.items()},
}

_DENSE = "save it after .to_dense()"
_PLAIN = "save it after .dequantize()"
_SUBCLASS = "save plain tensors: tensor.as_subclass(torch.Tensor)"
_HALVED = "save it as complex64: .to(torch.complex64)"
_REFUSED = {
    "torch._utils._rebuild_sparse_tensor": ("a sparse tensor", _DENSE),
    "torch._utils._rebuild_nested_tensor": ("a nested tensor", _DENSE),
    "torch._utils._rebuild_qtensor": ("a quantized tensor", _PLAIN),
    "torch._utils._rebuild_meta_tensor_no_storage": ("a meta tensor, which has no data", None),
    "torch.ComplexDoubleStorage": ("a complex128 tensor; safetensors has no such dtype", _HALVED),
    "torch.complex128": ("the dtype complex128, which safetensors has not", _HALVED),
    "torch._tensor._rebuild_from_type_v2": ("a tensor of a subclass", _SUBCLASS),
    "torch._utils._rebuild_wrapper_subclass": ("a tensor of a subclass", _SUBCLASS),
    "torch._utils._rebuild_parameter_with_state": ("a parameter with a state of its own", None),
    "torch.QInt8Storage": ("a quantized tensor", _PLAIN),
    "torch.QUInt8Storage": ("a quantized tensor", _PLAIN),
    "torch.QInt32Storage": ("a quantized tensor", _PLAIN),
}
_STATE_DICT = "save model.state_dict() instead"


def allowed(module: str, name: str, where: str) -> Marker:
    """What a name stands for.

    :raises UnsupportedError: it is not on the list.
    """
    found = _ALLOWED.get((module, name))
    if found is None:
        raise _refusal(module, name, where)
    return found


def _refusal(module: str, name: str, where: str) -> UnsupportedError:
    full = f"{module}.{name}"
    if full in _REFUSED:
        what, hint = _REFUSED[full]
        return UnsupportedError(f"it holds {what}", where=where, hint=hint)
    if re.fullmatch(r"torch\.(q?u?int|float|bits|complex)[0-9][a-z0-9_]{0,20}", full):
        return UnsupportedError(f"it holds the dtype {name}, which is not read", where=where)
    spelled = full if re.fullmatch(r"[A-Za-z0-9_.]{1,100}", full) else shown(full)
    return UnsupportedError(f"it holds a foreign class: {spelled}", where=where, hint=_STATE_DICT)
