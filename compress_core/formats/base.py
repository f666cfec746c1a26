"""What a format is: a way to recognise, open and write one kind of container."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from compress_core.container import Reader, Writer
from compress_core.errors import UsageError


class Format(ABC):
    """One kind of container; all methods are class methods, and there are no instances.

    :cvar id: its name in ``list formats``.
    :cvar summary: one line for people.
    :cvar suffixes: how its files are usually called. Content decides what a file is; where no
        format knows the content, the suffix says which one shall tell what is wrong with it.
    :cvar trusted: whether people take what has its suffix for safe to load anywhere; what has it
        and is something else is refused.
    """

    id: ClassVar[str]
    summary: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    trusted: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def recognises(cls, path: Path, head: bytes) -> bool:
        """Whether the content looks like this format.

        :param head: the first 4096 bytes of a regular file; empty for a folder.
        """

    @classmethod
    def suffixes_of(cls, head: bytes) -> tuple[str, ...]:
        """How a file with this content may be called."""
        return cls.suffixes

    @classmethod
    @abstractmethod
    def open(cls, path: Path) -> Reader:
        """Open for reading; only headers are read now.

        :raises InputError: unreadable, corrupt, hostile or not supported.
        """

    @classmethod
    def takes_key(cls, path: Path) -> bool:
        """Whether there may be several sets of weights at ``path``, each with a key."""
        return False

    @classmethod
    def open_at(cls, path: Path, key: str) -> Reader:
        """Open one of several sets of weights that a file holds.

        :param key: its place in the file, such as ``model.ema``.
        :raises UsageError: there is no such set, or files of this format hold only one.
        """
        raise UsageError(
            f"--key chooses among the weights of a PyTorch checkpoint, and this is {cls.summary}",
            where=str(path),
            hint="leave --key out",
        )

    @classmethod
    def writer(cls, target: Path, source: Reader, *, replace: bool) -> Writer | None:
        """A writer to ``target``, or ``None`` when this format is only read.

        :param source: what the weights come from; its files are never written to, and what else
            lies in its folder (tokenizer, config) is carried along by a folder's writer.
        :param replace: whether an existing output may be replaced.
        """
        return None
