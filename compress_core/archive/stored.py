"""The content of a stored member, read by position where it stands."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from compress_core.archive.member import Member
from compress_core.inputs import InputFile


class StoredMember:
    """The bytes of a stored member; a :class:`Source` that is checked before it is first read.

    Reading by position would meet the CRC only by chance, so the member is read to its end once
    more. The system has kept what was read, and most of the time is spent elsewhere.

    :ivar size: bytes.
    :param verify: reads the member to its end and checks its CRC.
    """

    def __init__(self, file: InputFile, member: Member, verify: Callable[[Member], None]) -> None:
        self.size = member.size
        self._file = file
        self._member = member
        self._verify = verify
        self._verified = False
        self._lock = Lock()

    def read_into(self, buffer: memoryview, start: int) -> None:
        """Fill ``buffer`` with the bytes from ``start`` on; other threads wait while it is checked.

        :raises FormatError: the member is damaged.
        :raises InputError: the file cannot be read, or has changed.
        """
        # behind it lies another member
        if not 0 <= start <= start + len(buffer) <= self.size:
            raise IndexError(f"bytes {start}:{start + len(buffer)} of {self.size}")
        if not self._verified:
            with self._lock:
                if not self._verified:
                    self._verify(self._member)
                    self._verified = True
        self._file.read_into(buffer, self._member.start + start)
