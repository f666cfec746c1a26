"""JSON objects through a pipe, one a line."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

_AT_ONCE = 1 << 16


class LineReader:
    """The reading end of a pipe.

    :param file: its number.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        self._rest = b""

    def read(self) -> list[dict[str, Any]] | None:
        """What has come, at least a part of a line; ``None`` when nothing will come any more."""
        data = os.read(self._file, _AT_ONCE)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]


def write_line(file: int, said: Mapping[str, Any]) -> None:
    """Write a line, all of it.

    :raises BrokenPipeError: nobody reads it.
    """
    rest = memoryview(json.dumps(said).encode("ascii") + b"\n")
    while rest:
        rest = rest[os.write(file, rest) :]
