"""What lies between tensors and files: named parts, and the two ends of a container.

A layout turns a tensor into *parts* (``X.codes``, ``X.scale``); a container stores parts.
``Reader`` is the way in (of files, and of the logical tensors that a layout finds in a file),
``Writer`` the way out; what only wants to know what would come out takes ``Nowhere``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from compress_core.dtypes import DTYPES
from compress_core.tensors import Form, TensorInfo

if TYPE_CHECKING:
    import numpy as np

    from compress_core.report import ErrorResult
    from compress_core.tiles import Quantized

Placed = Literal["rows", "columns", "stream", "once"]


@dataclass(frozen=True)
class PartSpec:
    """One stored tensor, before there is any data.

    :ivar dtype: code of its dtype.
    :ivar placed: ``rows``: tiles write at their first row, in any order; ``columns``: at their
        first column of a matrix; ``stream``: tiles append bits in order; ``once``: one tile writes
        all of it.
    """

    dtype: str
    shape: tuple[int, ...]
    placed: Placed

    @property
    def nbytes(self) -> int:
        """Bytes of its data."""
        return math.prod(self.shape) * DTYPES[self.dtype].bits // 8


@dataclass(frozen=True)
class Rows:
    """Data of a ``rows`` part: ``first`` rows of the shape of ``array``'s own come before it."""

    first: int
    array: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Columns:
    """Data of a ``columns`` part: all its rows, with ``first`` columns of others before them.

    A row of it is written by itself, so it should not be only a few bytes long.
    """

    first: int
    array: np.ndarray[Any, Any]


@dataclass(frozen=True)
class Stream:
    """The next ``nbits`` bits of a ``stream`` part, least significant bit of each byte first."""

    data: np.ndarray[Any, Any]
    nbits: int


@dataclass(frozen=True)
class Once:
    """All the data of a ``once`` part."""

    array: np.ndarray[Any, Any]


Piece = Rows | Columns | Stream | Once


@dataclass
class FilePlan:
    """One weight file of the output: what will stand in it.

    :ivar name: file name without folder; ``None`` for a single-file output, which has its own path.
    :ivar parts: in the order of the header.
    :ivar metadata: strings of the header's ``__metadata__``. ``Writer.commit`` may replace a value
        by another of the same length in UTF-8 bytes, and nothing else.
    """

    name: str | None
    parts: dict[str, PartSpec] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)


class Reader(ABC):
    """Tensors that can be read by rows.

    :ivar path: the file or folder, for messages.
    :ivar infos: name → info, in the order of the container.
    :ivar metadata: file name (``""`` for a single file) → its metadata strings.
    :ivar config: ``config.json`` of a checkpoint folder, ``None`` where there is none.
    :ivar shards: tensor name → name of the file that holds it (``""`` for a single file).
    :ivar forms: tensor name → form, for tensors that a layout decodes on the way; empty for plain
        files.
    :ivar errors: tensor name → the error that the file records for it.
    :ivar aliases: tensor → the tensor, earlier in the order, that it shares all its elements with.
    :ivar described_in: files beside the weights that say what codes are, and would be wrong beside
        decoded ones.
    :ivar undecoded: of codes of another tool, what keeps them from being decoded here.
    :ivar notes: things worth telling (an index with a wrong total, a broken config.json).
    """

    path: Path
    infos: Mapping[str, TensorInfo]
    metadata: Mapping[str, Mapping[str, str]]
    config: Mapping[str, Any] | None
    shards: Mapping[str, str]
    forms: Mapping[str, Form] = MappingProxyType({})
    errors: Mapping[str, ErrorResult] = MappingProxyType({})
    aliases: Mapping[str, str] = MappingProxyType({})
    described_in: Sequence[str] = ()
    undecoded: str | None = None
    notes: Sequence[str]

    @abstractmethod
    def read(self, name: str, start: int, stop: int) -> np.ndarray[Any, Any]:
        """Rows ``start:stop`` of the matrix view of a tensor: (rows, columns), storage dtype.

        The array is the caller's own and writable. Safe from any thread.

        :raises InputError: the file cannot be read or has changed.
        """

    @abstractmethod
    def read_bytes(self, name: str, start: int, stop: int) -> bytes:
        """Bytes ``start:stop`` of a tensor's data, as they stand in the container."""

    @abstractmethod
    def size(self) -> int:
        """Bytes of all weight files, headers and index included.

        What else a file holds, such as the state of an optimizer, is not counted.
        """

    def stored_bytes(self, name: str) -> int:
        """Bytes that a tensor takes in the container."""
        return self.infos[name].nbytes

    def has_codes(self, name: str) -> bool:
        """Whether :meth:`codes` gives those that a tensor is stored as."""
        return False

    def codes(self, name: str, start: int, stop: int) -> Quantized:
        """Codes of rows ``start:stop`` of the matrix view of a tensor that has some.

        They decode to what :meth:`read` gives, before it is rounded to the dtype.
        """
        raise RuntimeError(f"no codes of {name}")

    def spooled(self) -> int:
        """Bytes that reading everything will still put into the folder of temporary files."""
        return 0

    def close(self) -> None:
        """Give back file handles. Reading afterwards is an error."""

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sink(ABC):
    """Takes the data of parts, in whatever pieces they are made."""

    @abstractmethod
    def write(self, part: str, first_row: int, data: np.ndarray[Any, Any]) -> None:
        """Take rows of a part (``rows`` or ``once``); any order, any thread."""

    @abstractmethod
    def write_columns(self, part: str, first_column: int, data: np.ndarray[Any, Any]) -> None:
        """Take columns of a ``columns`` part, all rows of them; any order, any thread."""

    @abstractmethod
    def write_bytes(self, part: str, offset: int, data: bytes) -> None:
        """Take raw bytes of a part at a byte offset; any order, any thread."""

    @abstractmethod
    def append(self, part: str, data: np.ndarray[Any, Any], nbits: int) -> None:
        """Append bits to a ``stream`` part; calls for one part come in order from one thread."""


class Nowhere(Sink):
    """Keeps nothing of what it takes."""

    def write(self, part: str, first_row: int, data: np.ndarray[Any, Any]) -> None:
        """Forget it."""

    def write_columns(self, part: str, first_column: int, data: np.ndarray[Any, Any]) -> None:
        """Forget it."""

    def write_bytes(self, part: str, offset: int, data: bytes) -> None:
        """Forget it."""

    def append(self, part: str, data: np.ndarray[Any, Any], nbits: int) -> None:
        """Forget it."""


class Writer(Sink):
    """Writes a set of weight files so that they appear whole or not at all.

    :ivar copy_side_files: whether what lies beside the weights of a source folder goes along; may
        be set before ``begin``. A single file has nothing beside it.
    :ivar config: what ``config.json`` of a folder says; may be set before ``begin``. ``None``, or
        what the source's own file says: that file goes along as it is.
    :ivar left_out: what lies there and was not copied, known after ``begin``.
    """

    copy_side_files: bool = True
    config: Mapping[str, Any] | None = None
    left_out: Sequence[str] = ()

    @abstractmethod
    def measure(self, files: Sequence[FilePlan]) -> dict[str, int]:
        """Bytes of every weight file (and index) that ``begin(files)`` and ``commit`` would leave.

        Pure: touches no disk. Keys are file names; a single-file output has its own file name.
        """

    @abstractmethod
    def check(self) -> None:
        """Refuse a target that can never be written, before anything is read; touches nothing.

        :raises OutputExistsError: it exists, is an input, or is not what may be replaced.
        :raises OutputError: its folder is missing.
        """

    @abstractmethod
    def begin(self, files: Sequence[FilePlan]) -> None:
        """Check the target and the free space, open part files, reserve headers.

        :raises OutputExistsError: the target must not be replaced.
        :raises OutputError: the disk says no.
        """

    @abstractmethod
    def commit(self, metadata: Mapping[str | None, Mapping[str, str]]) -> None:
        """Flush, fsync and put everything in its place.

        :param metadata: file name → values that replace those of the plan.
        """

    @abstractmethod
    def abort(self) -> None:
        """Remove every trace; after ``commit`` there is none. Safe to call at any time."""
