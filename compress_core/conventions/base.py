"""What a convention is: a way of other tools to store codes, which is only read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from compress_core.container import Reader


class Convention(ABC):
    """One way of other tools to store weights as codes. What is also written is a layout.

    :cvar id: its name.
    :cvar summary: one line for ``list conventions``.
    :cvar written_by: who writes it.
    """

    id: ClassVar[str]
    summary: ClassVar[str]
    written_by: ClassVar[str]

    @classmethod
    @abstractmethod
    def open(cls, reader: Reader) -> Reader | None:
        """A reader of the logical tensors, if ``reader``'s files are of this convention.

        ``None``: they are not, or not decoded here, which a note of ``reader`` then says.

        :raises FormatError: they are, and they are damaged.
        """
