"""What formats for machines that judge ask of a result: one finding a limit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable


@dataclass(frozen=True)
class Finding:
    """One limit on one file, in words; or what else went wrong with a file.

    :ivar subject: the weight file.
    :ivar title: what was limited.
    :ivar message: limit, measurement, and what is beyond.
    :ivar of_gate: whether there was a limit.
    :ivar limit: the limit itself, such as ``≤ 25.00 MiB``: one gate may have several.
    :ivar file: where the limit stands, ``None`` for a flag; ``line`` and ``column`` from 1.
    """

    subject: str
    title: str
    status: Literal["ok", "fail", "new"]
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    limit: str | None = None
    of_gate: bool = True


@runtime_checkable
class Judged(Protocol):
    """A result that something has judged."""

    def findings(self) -> Sequence[Finding]:
        """One a limit and file."""


def seen_from(root: str | None, file: str | None) -> str | None:
    """``file`` as findings name it: from the folder ``root``, or (``None``) the current one."""
    return file if root is None or file is None else os.path.relpath(file, root)
