"""The header of a safetensors file: from bytes, and to bytes.

A file is a little-endian u64 (the header's length), the header (a JSON object), and the data. The
rules are those of the reference reader (safetensors 0.8), and where it is lax, stricter ones:

- no space before the brace, no duplicate key even when both say the same;
- a tensor is an object with ``dtype``, ``shape`` and ``data_offsets`` (the reference also takes a
  list of the three, and ``{"F32": null}`` for a dtype);
- no integer of more than 20 digits, not even in a field that nobody reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import safetensors

from compress_core.container import FilePlan
from compress_core.dtypes import DTYPES, DType
from compress_core.errors import FormatError, OutputError, UnsupportedError, UsageError
from compress_core.strict_json import is_text, parse_object, shown
from compress_core.tensors import TensorInfo

PREFIX = 8
MAX_HEADER = 100_000_000
METADATA = "__metadata__"

_U64 = (1 << 64) - 1


@dataclass(frozen=True)
class Header:
    """What a header says, checked.

    :ivar infos: in the order of the header.
    :ivar starts: name → byte of the file where its data begin.
    """

    infos: Mapping[str, TensorInfo]
    starts: Mapping[str, int]
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Draft:
    """A header to be written, and where the data of the file will stand.

    :ivar text: length prefix, JSON and padding: what the file begins with.
    :ivar starts: part → byte of the file where its data begin.
    :ivar size: bytes of the whole file.
    """

    text: bytes
    starts: Mapping[str, int]
    size: int


def header_length(prefix: bytes, file_size: int, where: str) -> int:
    """The header's length, compared with the file before anything is allocated for it.

    :raises FormatError: there cannot be such a header.
    """
    if len(prefix) < PREFIX:
        raise FormatError(f"not a safetensors file ({file_size} bytes)", where=where)
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER:
        said = f"not a safetensors file (header length {length:.2g}, at most {MAX_HEADER:,})"
        raise FormatError(said, where=where)
    if length > file_size - PREFIX:
        said = f"cut short or not safetensors: a header of {length} bytes in {file_size} bytes"
        raise FormatError(said, where=where)
    return length


def parse(text: bytes, data_size: int, where: str) -> Header:
    """Check a header against all rules of the format.

    :param text: the header without its length.
    :param data_size: bytes of the file after the header.
    :raises FormatError: a rule is broken.
    :raises UnsupportedError: a dtype that is not known here.
    """
    if not text.startswith(b"{"):
        raise FormatError("header does not begin with a brace", where=where)
    found = parse_object(text, what="header", where=where)
    metadata = _metadata(found.pop(METADATA, None), where)
    infos, offsets = {}, {}
    for name, entry in found.items():
        infos[name], offsets[name] = _tensor(name, entry, where)
    _check_tiling(offsets, data_size, where)
    data_start = PREFIX + len(text)
    starts = {name: data_start + begin for name, (begin, _) in offsets.items()}
    return Header(infos, starts, metadata)


def confirm(prefix_and_header: bytes, where: str) -> None:
    """Ask the safetensors library for its opinion of a header.

    ``safe_open`` would import NumPy (tens of megabytes for a command that only lists names) and map
    the file. ``deserialize`` on a header without its data runs the same checks, and only after all
    of them finds the data missing: that answer is the good one.

    :raises FormatError: the library refuses the header.
    """
    said = _library_says(prefix_and_header)
    if said is not None and said != _data_missing():
        raise FormatError(f"the safetensors library refuses it: {said}", where=where)


def draft(plan: FilePlan) -> Draft:
    """Lay a file out: the widest dtypes first, so that every tensor is aligned to its own width.

    :raises UsageError: a name or a value that the format cannot hold.
    :raises OutputError: the header would be longer than readers accept.
    """
    order = sorted(plan.parts, key=lambda name: -DTYPES[plan.parts[name].dtype].bits)
    ends = list(accumulate((plan.parts[name].nbytes for name in order), initial=0))
    begins = dict(zip(order, ends, strict=False))
    text = _encode(plan, begins)
    starts = {name: len(text) + begins[name] for name in plan.parts}
    return Draft(text, starts, len(text) + ends[-1])


def _encode(plan: FilePlan, begins: Mapping[str, int]) -> bytes:
    _check_texts(plan)
    entries: dict[str, Any] = {METADATA: dict(plan.metadata)} if plan.metadata else {}
    for name, part in plan.parts.items():
        span = [begins[name], begins[name] + part.nbytes]
        entries[name] = {"dtype": part.dtype, "shape": list(part.shape), "data_offsets": span}
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise OutputError(f"a header of {len(text):,} bytes; readers accept {MAX_HEADER:,}")
    return len(text).to_bytes(PREFIX, "little") + text


def _check_texts(plan: FilePlan) -> None:
    if METADATA in plan.parts:
        raise UsageError("safetensors keeps this name for itself", where=METADATA)
    for text in (*plan.parts, *plan.metadata, *plan.metadata.values()):
        if not is_text(text):
            raise UsageError("a lone surrogate cannot be written as UTF-8", where=shown(text))


def _metadata(entry: Any, where: str) -> dict[str, str]:
    if entry is None:
        return {}
    if not isinstance(entry, dict):
        raise FormatError(f"{METADATA} is not an object", where=where)
    for key, value in entry.items():
        if not isinstance(value, str):
            raise FormatError(f"{METADATA}: {shown(key)} is not a string", where=where)
    return entry


def _tensor(name: str, entry: Any, where: str) -> tuple[TensorInfo, tuple[int, int]]:
    if not isinstance(entry, dict):
        raise FormatError(f"tensor {shown(name)}: not an object", where=where)
    for key in ("dtype", "shape", "data_offsets"):
        if key not in entry:
            raise FormatError(f"tensor {shown(name)}: no {key}", where=where)
    at = f"tensor {shown(name)}"
    dtype = _dtype(entry["dtype"], at, where)
    shape = _sizes(entry["shape"], f"{at}: shape", where)
    offsets = _sizes(entry["data_offsets"], f"{at}: data_offsets", where)
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FormatError(f"{at}: data_offsets are not [begin, end]", where=where)
    nbytes = _data_size(dtype, shape, at, where)
    begin, end = offsets
    if end - begin != nbytes:
        said = f"{at}: {end - begin} bytes of data, its dtype and shape make {nbytes}"
        raise FormatError(said, where=where)
    return TensorInfo(name, dtype, shape, nbytes), (begin, end)


def _dtype(code: Any, at: str, where: str) -> DType:
    if not isinstance(code, str):
        raise FormatError(f"{at}: dtype is not a string", where=where)
    if code not in DTYPES:
        raise UnsupportedError(f"{at}: unknown dtype {shown(code)}", where=where)
    return DTYPES[code]


def _sizes(entry: Any, at: str, where: str) -> tuple[int, ...]:
    if not isinstance(entry, list):
        raise FormatError(f"{at} is not a list", where=where)
    for size in entry:
        # bool is an int to Python, and true is no size
        if type(size) is not int or not 0 <= size <= _U64:
            raise FormatError(f"{at} holds something that is no size", where=where)
    return tuple(entry)


def _data_size(dtype: DType, shape: tuple[int, ...], at: str, where: str) -> int:
    elements = 1
    for size in shape:
        elements *= size
        # as the reference does: [2**40, 2**40, 0] overflows on the way to 0
        if elements > _U64:
            raise FormatError(f"{at}: its shape overflows 64 bits", where=where)
    bits = elements * dtype.bits
    if bits > _U64:
        raise FormatError(f"{at}: its size overflows 64 bits", where=where)
    if bits % 8:
        said = f"{at}: {elements} elements of {dtype} do not fill whole bytes"
        raise FormatError(said, where=where)
    return bits // 8


def _check_tiling(offsets: Mapping[str, tuple[int, int]], data_size: int, where: str) -> None:
    """Holes and overlaps hide content from one reader or the other; neither is allowed."""
    reached = 0
    for name, (begin, end) in sorted(offsets.items(), key=lambda item: item[1]):
        if begin != reached:
            said = "a hole before" if begin > reached else "an overlap at"
            said += f" tensor {shown(name)}: it begins at byte {begin}, not {reached}"
            raise FormatError(said, where=where)
        reached = end
    if reached > data_size:
        said = f"cut short: {data_size} bytes of data, the header promises {reached}"
        raise FormatError(said, where=where)
    if reached < data_size:
        raise FormatError(f"{data_size - reached} bytes after the last tensor", where=where)


def _library_says(text: bytes) -> str | None:
    deserialize: Any = safetensors.deserialize
    try:
        deserialize(text)
    except safetensors.SafetensorError as error:
        return str(error)
    return None


@cache
def _data_missing() -> str | None:
    """What the library says of a right header without its data; asked, because wordings change."""
    text = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    return _library_says(len(text).to_bytes(PREFIX, "little") + text)
