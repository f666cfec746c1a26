"""What formats for machines that judge ask of a result: one finding a limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable


@dataclass(frozen=True)
class Finding:
    """One limit on one file, in words.

    :ivar subject: the weight file.
    :ivar title: what was limited.
    :ivar message: limit, measurement, and what is beyond.
    :ivar file: where the limit stands, ``None`` for a flag; ``line`` and ``column`` from 1.
    """

    subject: str
    title: str
    status: Literal["ok", "fail", "new"]
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None


@runtime_checkable
class Judged(Protocol):
    """A result that something has judged."""

    def findings(self) -> Sequence[Finding]:
        """One a limit and file."""
