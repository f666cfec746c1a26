"""Zip archives written field by field, so that any one of them can be wrong."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


def deflated(content: bytes, level: int = 9) -> bytes:
    """Raw deflated data, as archives have them."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


@dataclass
class Part:
    """One member; what is ``None`` is what it should be.

    :ivar local: fields of its own header that are wrong: flags, method, crc, stored, size, name.
    :ivar central: the same for the directory, and ``disk``, ``header`` and ``needed`` (version).
    :ivar hidden: the directory does not name it.
    """

    name: bytes
    content: bytes = b"content"
    method: int = 0
    flags: int = 0
    data: bytes | None = None
    local: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)
    local_extra: bytes = b""
    central_extra: bytes = b""
    behind: bytes = b""
    comment: bytes = b""
    hidden: bool = False

    @property
    def stored(self) -> bytes:
        if self.data is not None:
            return self.data
        return deflated(self.content) if self.method == 8 else self.content

    def fields(self, wrong: dict[str, Any]) -> dict[str, Any]:
        right = {
            "flags": self.flags,
            "method": self.method,
            "crc": zlib.crc32(self.content),
            "stored": len(self.stored),
            "size": len(self.content),
            "name": self.name,
        }
        return {**right, **wrong}


def numbers(part: Part, form: str = "<3I", magic: bytes = b"PK\x07\x08") -> bytes:
    """The descriptor of a member."""
    own = (zlib.crc32(part.content), len(part.stored), len(part.content))
    return magic + struct.pack(form, *own)


def extra(kind: int, data: bytes) -> bytes:
    """An extra field."""
    return struct.pack("<2H", kind, len(data)) + data


def large(*values: int) -> bytes:
    """A zip64 field."""
    return extra(1, struct.pack(f"<{len(values)}Q", *values))


def lying(name: bytes, content: bytes = b"content", **wrong: int) -> Part:
    """A member whose header and directory agree on something wrong."""
    return Part(name, content, local=wrong, central=wrong)


def build(
    parts: Sequence[Part],
    *,
    end: dict[str, Any] | None = None,
    end64: dict[str, Any] | None = None,
    before_directory: bytes = b"",
    after_directory: bytes = b"",
) -> bytes:
    """An archive.

    :param end: fields of the end record that are wrong: disk, count, size, start, comment.
    :param end64: the same for the zip64 records, which are written when it is given; ``record`` and
        ``disks`` are the locator's.
    """
    body, directory = bytearray(), bytearray()
    for part in parts:
        directory += b"" if part.hidden else _central(part, len(body))
        body += _local(part)
    body += before_directory
    right = {
        "disk": 0,
        "count": sum(not part.hidden for part in parts),
        "size": len(directory),
        "start": len(body),
    }
    body += directory + after_directory
    if end64 is not None:
        body += _end64({**right, "record": len(body), "disks": 1, "length": 44, **end64})
    last = {**right, "comment": b"", **(end or {})}
    body += b"PK\x05\x06" + struct.pack("<4H", last["disk"], 0, last["count"], last["count"])
    body += struct.pack("<2IH", last["size"], last["start"], len(last["comment"]))
    return bytes(body + last["comment"])


def _local(part: Part) -> bytes:
    says = part.fields(part.local)
    fixed = struct.pack("<5H", 20, says["flags"], says["method"], 0, 33)
    fixed += struct.pack("<3I", says["crc"], says["stored"], says["size"])
    fixed += struct.pack("<2H", len(says["name"]), len(part.local_extra))
    name: bytes = says["name"]
    return b"PK\x03\x04" + fixed + name + part.local_extra + part.stored + part.behind


def _central(part: Part, at: int) -> bytes:
    says = {"disk": 0, "header": at, "needed": 20, **part.fields(part.central)}
    fixed = struct.pack("<6H", 20, says["needed"], says["flags"], says["method"], 0, 33)
    fixed += struct.pack("<3I", says["crc"], says["stored"], says["size"])
    lengths = (len(says["name"]), len(part.central_extra), len(part.comment))
    fixed += struct.pack("<5H", *lengths, says["disk"], 0)
    fixed += struct.pack("<2I", 0, says["header"])
    name: bytes = says["name"]
    return b"PK\x01\x02" + fixed + name + part.central_extra + part.comment


def _end64(says: dict[str, Any]) -> bytes:
    record = struct.pack("<Q2H", says["length"], 45, 45)
    record += struct.pack("<2I", says["disk"], says["disk"])
    record += struct.pack("<4Q", says["count"], says["count"], says["size"], says["start"])
    locator = struct.pack("<IQI", 0, says["record"], says["disks"])
    return b"PK\x06\x06" + record + b"PK\x06\x07" + locator
