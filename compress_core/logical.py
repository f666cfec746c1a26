"""The tensors that a layout finds in stored parts, as a reader of their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from compress_core.container import Reader
from compress_core.errors import FormatError
from compress_core.tensors import TensorInfo

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Coded(Protocol):
    """A tensor that is stored as something else than its values."""

    @property
    def part_names(self) -> tuple[str, ...]:
        """Its parts, in the order in which they are written."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows of the matrix view, decoded and rounded once to the original dtype."""


class LogicalReader(Reader):
    """Tensors of a container whose parts stand for others.

    What is not among ``coded`` is read as it is stored. Whoever inherits it says what the tensors
    are: ``infos``, ``shards``, ``forms``, ``errors``.

    :ivar stored: the container; closed with the reader.
    """

    def __init__(
        self, stored: Reader, coded: Mapping[str, Coded], aliases: Mapping[str, str]
    ) -> None:
        self.stored = stored
        self.path = stored.path
        self.aliases = aliases
        self._coded_as = coded

    def owner(self, name: str) -> str:
        """The tensor whose data stand for ``name``."""
        return self.aliases.get(name, name)

    def add_aliases(self, infos: dict[str, TensorInfo], shards: dict[str, str]) -> None:
        """Put other names after all tensors.

        :raises FormatError: one is taken, or stands for none.
        """
        for name, owner in self.aliases.items():
            taken = name in infos or name in self.stored.infos
            if taken or owner in self.aliases or owner not in infos:
                raise FormatError(f"no other name of {owner}", where=name)
            infos[name] = replace(infos[owner], name=name)
            shards[name] = shards[owner]

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Rows of the matrix view; see :class:`Reader`.

        :raises FormatError: its parts do not belong together.
        """
        owner = self.owner(name)
        coded = self._coded_as.get(owner)
        if coded is None:
            return self.stored.read(owner, start, stop)
        with located(self.path / self.shards[name]):
            return coded.read(start, stop)

    def read_bytes(self, name: str, start: int, stop: int) -> bytes:
        """Bytes of a tensor that is stored as it is; see :class:`Reader`."""
        return self.stored.read_bytes(self.owner(name), start, stop)

    def size(self) -> int:
        """Bytes of all weight files."""
        return self.stored.size()

    def stored_bytes(self, name: str) -> int:
        """Bytes of all parts of a tensor; another name has none."""
        if name in self.aliases:
            return 0
        coded = self._coded_as.get(name)
        names = (name,) if coded is None else coded.part_names
        return sum(self.stored.infos[part].nbytes for part in names)

    def spooled(self) -> int:
        """Bytes that reading everything will still put into the folder of temporary files."""
        return self.stored.spooled()

    def close(self) -> None:
        """Close the container."""
        self.stored.close()


@contextmanager
def located(file: Path) -> Iterator[None]:
    """Name the file in errors of those who know their tensor alone."""
    try:
        yield
    except FormatError as error:
        said = error.message if error.where is None else f"tensor {error.where}: {error.message}"
        raise FormatError(said, where=str(file), hint=error.hint) from error
