"""The formats of compressed-tensors that are written and read here."""

from __future__ import annotations

from compress_core.layouts._served.module import Module
from compress_core.layouts.compressed_tensors.arguments import Arguments
from compress_core.layouts.compressed_tensors.bytes_of_codes import FloatBytes, IntegerBytes
from compress_core.layouts.compressed_tensors.packed_integers import PackedIntegers
from compress_core.layouts.compressed_tensors.small_floats import Mxfp4Pairs, Nvfp4Pairs
from compress_core.layouts.compressed_tensors.storage import Storage
from compress_core.tensors import Form

STORAGES: tuple[Storage, ...] = (
    PackedIntegers(),
    IntegerBytes(),
    FloatBytes(),
    Nvfp4Pairs(),
    Mxfp4Pairs(),
)


def storage_for(form: Form) -> Storage | None:
    """How codes of a form are stored; ``None``: not at all."""
    return next((storage for storage in STORAGES if storage.holds(form)), None)


def storage_of(format_: str | None, arguments: Arguments, module: Module) -> Storage | None:
    """How the codes of a module are stored; ``None``: in no way that is read here.

    :param format_: what ``quantization_config`` says; ``None``: nothing, so the parts tell.
    """
    found = (storage for storage in STORAGES if storage.has(arguments, module))
    return next((one for one in found if format_ is None or format_ in one.formats), None)
