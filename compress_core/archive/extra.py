"""The extra fields of a header, and the numbers of 64 bits in them."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from compress_core.archive.broken import broken
from compress_core.strict_json import shown

FULL32 = 0xFFFF_FFFF
"""What stands in a number's usual place when it is in the zip64 field."""

_ZIP64 = 0x0001
_SECOND_NAME = 0x7075


@dataclass(frozen=True)
class Extra:
    """The extra fields of a header that mean something here.

    :ivar large: numbers of the zip64 field; ``None`` where there is no such field.
    """

    large: tuple[int, ...] | None
    at: str
    where: str

    @classmethod
    def parse(cls, text: bytes, name: str, where: str) -> Extra:
        """Walk over all fields; a second name, or two zip64 fields, would have two meanings."""
        at = f"member {shown(name)}"
        large = None
        start = 0
        while start < len(text):
            # half a field gets a length that cannot be
            kind, length = struct.unpack("<2H", text[start : start + 4].ljust(4, b"\xff"))
            field = text[start + 4 : start + 4 + length]
            again = kind == _ZIP64 and large is not None
            if len(field) != length or kind == _SECOND_NAME or again:
                raise broken(f"{at}: extra fields that cannot be read", where)
            if kind == _ZIP64:
                # the number of a disk could follow, but there is only one
                if length % 8:
                    raise broken(f"{at}: a broken zip64 field", where)
                large = struct.unpack(f"<{length // 8}Q", field)
            start += 4 + length
        return cls(large, at, where)

    def central_numbers(self, size: int, stored: int, header: int) -> tuple[int, int, int]:
        """The three numbers; those that are full stand in the zip64 field, and no others do."""
        numbers = [size, stored, header]
        full = [index for index, number in enumerate(numbers) if number == FULL32]
        if len(self.large or ()) != len(full):
            raise broken(f"{self.at}: a broken zip64 field", self.where)
        for index, number in zip(full, self.large or (), strict=True):
            numbers[index] = number
        return numbers[0], numbers[1], numbers[2]

    def local_sizes(self, size: int, stored: int) -> tuple[int, int]:
        """The two sizes; the zip64 field has both of them when either is full.

        NumPy always writes it so. PyTorch writes 0 into the header, and what stands in the field
        does not count then.
        """
        if FULL32 not in (size, stored):
            return size, stored
        if self.large is None or len(self.large) < 2:
            raise broken(f"{self.at}: a broken zip64 field", self.where)
        large_size, large_stored = self.large[:2]
        return (
            large_size if size == FULL32 else size,
            large_stored if stored == FULL32 else stored,
        )
