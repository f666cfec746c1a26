"""A member of an archive."""

from __future__ import annotations

from dataclasses import dataclass

STORED = 0
DEFLATED = 8


@dataclass(frozen=True, slots=True)
class Member:
    """Where the data of a member are, and what they shall be.

    :ivar start: byte of the file where its data begin, compressed or not.
    :ivar size: bytes of its content.
    :ivar stored: bytes that its data take in the file; ``size`` where nothing is compressed.
    :ivar method: ``STORED`` or ``DEFLATED``.
    :ivar crc: CRC-32 of its content, as the archive has it.
    """

    name: str
    start: int
    size: int
    stored: int
    method: int
    crc: int
