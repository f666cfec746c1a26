"""What lies between results and formats: a sheet of cells, and how it is meant to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Column:
    """One column.

    :ivar wide: shown only where the line has room for it.
    :ivar spare: left out of a terminal that even short names do not make room on.
    :ivar wraps: prose, which may go on in the next line.
    """

    title: str
    align: Literal["left", "right"] = "right"
    wide: bool = False
    wraps: bool = False
    spare: bool = False


@dataclass(frozen=True)
class Row:
    """One cell a column; ``total`` sums up the rows above it."""

    cells: tuple[str, ...]
    total: bool = False


@dataclass(frozen=True)
class Sheet:
    """A table for people.

    :ivar title: a line above it, ``None`` where the command says it all.
    :ivar lines: sentences below it.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    lines: tuple[str, ...] = ()
    title: str | None = None


@dataclass(frozen=True)
class Look:
    """The paper that a sheet is printed on.

    :ivar width: columns of the terminal.
    :ivar cut: whether long names are shortened to fit; not where a program may read them.
    :ivar encoding: of the stream; what it cannot write gets an ASCII twin.
    """

    width: int = 80
    cut: bool = True
    colour: bool = False
    encoding: str = "utf-8"


class Result(Protocol):
    """What a command found out, in the three forms that formats ask for."""

    def to_json(self) -> Mapping[str, Any]:
        """Everything, exactly."""

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One flat record a line, with the same keys in all of them."""

    def sheets(self) -> Sequence[Sheet]:
        """What a person wants to see."""


class Renderer(Protocol):
    """A module of this package that writes one format.

    :ivar FOR_FILES: whether ``--report`` can write it.
    """

    FOR_FILES: bool

    def render(self, result: Result, look: Look) -> str:
        """The text, with a final line break."""
