"""The weights that a folder stores as codes, and the parts that they consist of."""

from __future__ import annotations

from collections.abc import Mapping

from compress_core.container import PartSpec, Reader
from compress_core.dtypes import DTYPES, DType
from compress_core.errors import FormatError
from compress_core.layouts._served.module import Module, matrix_of
from compress_core.layouts._served.undecoded import NotDecodedError
from compress_core.layouts._served.weight import CodedWeight, weight_info
from compress_core.layouts.bitsandbytes import eight_bits
from compress_core.layouts.bitsandbytes.nibbles import (
    NESTED_SCALES,
    NESTED_TABLE,
    SCALES,
    TABLE,
    WEIGHT,
    Blocks,
    parts_of_scales,
)
from compress_core.layouts.bitsandbytes.state import State, part_of
from compress_core.schemes.integer import Integer
from compress_core.schemes.nf4 import Nf4
from compress_core.schemes.nf4_double import Nf4Double
from compress_core.tensors import Form, TensorInfo

_STATES = (part_of("nf4"), part_of("fp4"))
_LOCALS = (
    *(WEIGHT, SCALES, TABLE, NESTED_SCALES, NESTED_TABLE, *_STATES),
    *(eight_bits.SCALES, "weight_format"),
)
# what the library has written is of some 200 bytes
_LONGEST = 4096


def modules_of(stored: Reader) -> dict[str, Module]:
    """The modules with codes, in the order of their parts."""
    found: dict[str, Module] = {}
    for name in stored.infos:
        for mark in (SCALES, eight_bits.SCALES):
            stem = name.removesuffix(f".{mark}")
            if stem != name and f"{stem}.{WEIGHT}" in stored.infos:
                found[stem] = Module(stem, stored, _locals(stem, stored))
    return found


def scales_in(modules: Mapping[str, Module]) -> set[str]:
    """Names of all parts that are scales of codes, or belong to them."""
    return {
        f"{name}.{local}"
        for name, module in modules.items()
        for local in module.locals
        if local != WEIGHT
    }


def _locals(stem: str, stored: Reader) -> dict[str, TensorInfo]:
    names = {local: f"{stem}.{local}" for local in _LOCALS}
    return {local: stored.infos[name] for local, name in names.items() if name in stored.infos}


def coded_weight(module: Module, recorded: DType | None, usual: DType) -> CodedWeight:
    """The weight of a module.

    :param recorded: its dtype, by our own record.
    :param usual: that of weights of which nothing is said.
    :raises NotDecodedError: its codes are of another kind.
    :raises FormatError: its parts do not belong together.
    """
    if SCALES in module.locals:
        return _four_bits(module, recorded)
    return _eight_bits(module, recorded or usual)


def _four_bits(module: Module, recorded: DType | None) -> CodedWeight:
    state = _state(module)
    if state.kind != "nf4":
        raise NotDecodedError(f"{state.kind} of {module.name}")
    expected = parts_of_scales(state)
    module.check(expected)
    # some keep the bytes as floats, so that layers may be sharded with others
    if module.info(WEIGHT).nbytes != -(-state.elements // 2):
        said = f"{module.info(WEIGHT).nbytes} bytes of codes for {list(state.shape)}"
        raise FormatError(said, where=module.name)
    _check_table(module)
    dtype = recorded or DTYPES[state.dtype]
    decoding = Blocks(state)
    names = tuple(f"{module.name}.{local}" for local in (WEIGHT, *expected, state.part))
    return CodedWeight(
        weight_info(module.name, dtype, state.shape),
        Form(dtype, Nf4(4, state.block) if state.nested is None else Nf4Double(4, state.block)),
        names,
        Nf4(4, decoding.group),
        decoding,
        module,
    )


def _state(module: Module) -> State:
    found = [local for local in _STATES if local in module.locals]
    if len(found) != 1:
        raise FormatError(f"{len(found)} parts {module.name}.weight.quant_state", where=module.name)
    info = module.info(found[0])
    if info.dtype.code != "U8" or info.nbytes > _LONGEST:
        raise FormatError(f"part {info.name} is {info.dtype} {list(info.shape)}", where=module.name)
    return State.read(module.reader.read_bytes(info.name, 0, info.nbytes), module.name)


def _check_table(module: Module) -> None:
    """Whether the numbers that codes stand for are those of NF4."""
    from compress_core.kernels.codebooks import NF4

    if (module.span(TABLE, 0, 16, "<f4") != NF4).any():
        raise NotDecodedError(f"another table than that of NF4 in {module.name}")


def _eight_bits(module: Module, dtype: DType) -> CodedWeight:
    weight = module.info(WEIGHT)
    if weight.dtype.code != "I8":
        raise NotDecodedError(f"{weight.dtype} beside {eight_bits.SCALES} of {module.name}")
    shape = matrix_of(weight)
    expected = {eight_bits.SCALES: PartSpec("F32", shape[:1], "rows")}
    module.check(expected)
    if "weight_format" in module.locals:
        _check_order(module)
    scheme = Integer(8, "channel")
    names = tuple(f"{module.name}.{local}" for local in module.locals)
    info = weight_info(module.name, dtype, shape)
    return CodedWeight(info, Form(dtype, scheme), names, scheme, eight_bits.EightBits(), module)


def _check_order(module: Module) -> None:
    """Whether bytes stand in the order of rows: kernels for some processors want others."""
    info = module.info("weight_format")
    if info.nbytes != 1 or module.span("weight_format", 0, 1, "u1")[0] != 0:
        raise NotDecodedError(f"weight_format of {module.name}")
