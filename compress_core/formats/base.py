"""What a format is: a way to recognise, open and write one kind of container."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from compress_core.container import Reader, Writer


class Format(ABC):
    """One kind of container; all methods are class methods, and there are no instances.

    :cvar id: its name in ``list formats``.
    :cvar summary: one line for people.
    """

    id: ClassVar[str]
    summary: ClassVar[str]

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Whether the content looks like this format.

        :param head: the first 4096 bytes of a regular file; empty for a folder.
        """

    @classmethod
    @abstractmethod
    def open(cls, path: Path) -> Reader:
        """Open for reading; only headers are read now.

        :raises InputError: unreadable, corrupt, hostile or not supported.
        """

    @classmethod
    def writer(cls, target: Path, source: Reader, *, replace: bool) -> Writer | None:
        """A writer to ``target``, or ``None`` when this format is only read.

        :param source: what the weights come from; its files are never written to, and what else
            lies in its folder (tokenizer, config) is carried along by a folder's writer.
        :param replace: whether an existing output may be replaced.
        """
        return None
