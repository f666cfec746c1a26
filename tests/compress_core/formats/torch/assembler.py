"""Put PyTorch files together by hand, right and wrong ones; no torch, and no pickle module."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

PROTO = b"\x80\x02"
STOP = b"."
NONE, TRUE, FALSE = b"N", b"\x88", b"\x89"
ORDERED = b"ccollections\nOrderedDict\n)R"
MAGIC = PROTO + b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19" + STOP
VERSION = PROTO + b"M\xe9\x03" + STOP
SIX = struct.pack("<6f", *range(6))
"""The data of a storage of six floats."""


def text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def tuple_of(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def list_of(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


def sizes(*values: int) -> bytes:
    return tuple_of(*(integer(value) for value in values))


def mapping(entries: Mapping[str | int, bytes], empty: bytes = b"}") -> bytes:
    keys = (text(key) if isinstance(key, str) else integer(key) for key in entries)
    pairs = (key + value for key, value in zip(keys, entries.values(), strict=True))
    return empty + b"(" + b"".join(pairs) + b"u"


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + tuple_of(*arguments) + b"R"


def storage(
    key: str = "0",
    count: int = 6,
    held: str = "FloatStorage",
    view: bytes | None = None,
    module: str = "torch",
) -> bytes:
    """:param view: the sixth field of a legacy file."""
    fields = [text("storage"), name(module, held), text(key), text("cpu"), integer(count)]
    return tuple_of(*fields, *([view] if view is not None else [])) + b"Q"


def untyped(key: str = "0", count: int = 24) -> bytes:
    return storage(key, count, "UntypedStorage", module="torch.storage")


def tensor(
    kept: bytes | None = None,
    shape: tuple[int, ...] = (2, 3),
    strides: tuple[int, ...] = (3, 1),
    offset: int = 0,
    metadata: bytes | None = None,
) -> bytes:
    """``_rebuild_tensor_v2`` of a storage."""
    arguments = [kept or storage(), integer(offset), sizes(*shape), sizes(*strides), FALSE, ORDERED]
    arguments += [metadata] if metadata is not None else []
    return call("torch._utils", "_rebuild_tensor_v2", *arguments)


def tensor_v3(
    kept: bytes, dtype: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0
) -> bytes:
    arguments = [kept, integer(offset), sizes(*shape), sizes(*strides), FALSE, ORDERED]
    return call("torch._utils", "_rebuild_tensor_v3", *arguments, name("torch", dtype))


def legacy_tensor(key: str = "0", view: bytes = NONE) -> bytes:
    return tensor(storage(key, view=view))


def pickled(root: bytes) -> bytes:
    return PROTO + root + STOP


def zipped(
    root: bytes,
    data: Mapping[str, bytes] | None = None,
    others: Mapping[str, bytes] | None = None,
    method: int = zipfile.ZIP_STORED,
) -> bytes:
    """A file of torch 1.6 and later.

    :param root: opcodes of the value.
    :param data: key → bytes of a storage; one of six floats unless said otherwise.
    :param others: name → content of further members.
    """
    return archived(pickled(root), data, others, method)


def archived(
    pickle: bytes,
    data: Mapping[str, bytes] | None = None,
    others: Mapping[str, bytes] | None = None,
    method: int = zipfile.ZIP_STORED,
) -> bytes:
    """The same, with any bytes for its pickle."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("archive/data.pkl", pickle)
        for key, content in ({"0": SIX} if data is None else data).items():
            archive.writestr(f"archive/data/{key}", content)
        for member, content in (others or {}).items():
            archive.writestr(member, content)
    return made.getvalue()


def legacy(
    root: bytes,
    data: Mapping[str, bytes] | None = None,
    *,
    facts: bytes = b"}",
    counts: Mapping[str, int] | None = None,
    width: int = 4,
) -> bytes:
    """A file of torch before 1.6."""
    kept = {"0": SIX} if data is None else data
    made = MAGIC + VERSION + pickled(facts) + pickled(root)
    made += pickled(list_of(*(text(key) for key in kept)))
    for key, content in kept.items():
        count = (counts or {}).get(key, len(content) // width)
        made += struct.pack("<q", count) + content
    return made
