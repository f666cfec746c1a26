"""The bytes of pickles, one after the other, read when they are needed."""

from __future__ import annotations

from collections.abc import Callable

from compress_core.errors import FormatError, UnsupportedError

MAX_BYTES = 64_000_000

_WINDOW = 1 << 18


class Feed:
    """Some bytes of a file, from the first to the last, through a window.

    :param read: bytes ``start:stop`` of the file, or of a member of it.
    :param stop: where the bytes end.
    """

    def __init__(
        self, read: Callable[[int, int], bytes], start: int, stop: int, where: str
    ) -> None:
        self._read = read
        self._window = b""
        self._at = 0
        self._next = start
        self._end = stop
        self._stop = min(stop, start + MAX_BYTES)
        self.where = where

    @property
    def position(self) -> int:
        """Where in the file the next byte stands."""
        return self._next - len(self._window) + self._at

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return self._end - self.position

    def byte(self) -> int:
        """The next byte.

        :raises FormatError: there is none; so say the others.
        :raises UnsupportedError: all that was read is too much; so say the others.
        """
        at = self._at
        if at == len(self._window):
            self._fill(1)
            at = 0
        self._at = at + 1
        return self._window[at]

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if self._at + count > len(self._window):
            self._fill(count)
        at = self._at
        self._at = at + count
        return self._window[at : at + count]

    def number(self, count: int, *, signed: bool = False) -> int:
        """The little-endian integer in the next ``count`` bytes."""
        return int.from_bytes(self.take(count), "little", signed=signed)

    def line(self, at_most: int) -> bytes:
        """The next bytes up to a line feed, which is read and left out."""
        found = bytearray()
        while (byte := self.byte()) != 0x0A:
            found.append(byte)
            if len(found) > at_most:
                raise FormatError(
                    f"broken pickle: a line of over {at_most} bytes", where=self.where
                )
        return bytes(found)

    def _fill(self, count: int) -> None:
        """Move the window on, until it begins with the next ``count`` bytes."""
        position = self.position
        if position + count > self._stop:
            cut_short = position + count > self._end
            raise self._cut_short() if cut_short else too_long(self.where)
        stop = min(self._stop, position + max(count, _WINDOW))
        self._window = self._window[self._at :] + self._read(self._next, stop)
        self._at = 0
        self._next = stop

    def _cut_short(self) -> FormatError:
        return FormatError("broken pickle: cut short", where=self.where)


def too_long(where: str) -> UnsupportedError:
    """The error for pickles of more than ``MAX_BYTES``."""
    said = f"its pickle is longer than {MAX_BYTES:,} bytes"
    return UnsupportedError(said, where=where, hint="save model.state_dict() and no more")
