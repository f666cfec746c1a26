"""Where the bytes of a view come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol


class Source(Protocol):
    """Bytes that are read by position, from any thread; an :class:`InputFile` is one."""

    def read_into(self, buffer: memoryview, start: int) -> None:
        """Fill ``buffer`` with the bytes from ``start`` on."""


class Sequential(ABC):
    """Bytes that only come one after the other, such as a deflated member of an archive.

    :ivar size: how many there are.
    """

    size: int

    @abstractmethod
    def chunks(self) -> Iterator[bytes]:
        """All of them, in pieces of at most a few MiB; again from the beginning at every call.

        :raises InputError: they are damaged, or are more or fewer than ``size``.
        """
