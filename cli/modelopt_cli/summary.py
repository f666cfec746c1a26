"""The page of a step in GitHub Actions: a file that Markdown is appended to.

GitHub drops a page of more than 1 MiB as a whole, so what does not fit is cut line by line.
"""

from __future__ import annotations

import os
from pathlib import Path

MOST_SUMMARY = 1024**2
"""Bytes of the page of one step; what earlier commands of the step wrote counts too."""

_CUT = "\n… and {} more lines: see the log of this step.\n"


def append_within(path: Path, text: str, most: int) -> None:
    """Append ``text``, or as many of its lines as keep the file within ``most`` bytes.

    :raises OSError: the file cannot be written.
    """
    with path.open("ab") as file:
        room = most - os.fstat(file.fileno()).st_size
        file.write(_fitting(text, room))


def _fitting(text: str, room: int) -> bytes:
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= room:
        return data
    lines = data.splitlines(keepends=True)
    kept, left = 0, room - len(_CUT.format(len(lines)).encode())
    while kept < len(lines) and len(lines[kept]) <= left:
        left -= len(lines[kept])
        kept += 1
    cut = _CUT.format(len(lines) - kept).encode()
    return b"".join(lines[:kept]) + cut if left >= 0 else b""
