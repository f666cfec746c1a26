"""Reports that an earlier check has left: nobody shall take them for the answer of a later one."""

from __future__ import annotations

from pathlib import Path

_MARKS = {
    ".csv": b"file,metric,over,match,ignore,kind,",
    ".json": b'"schema": "modelopt.check/',
    ".md": b"| Gate | Limit | Now | Slack | Verdict |",
    ".xml": b'<testsuites name="modelopt"',
}
"""Suffix → what stands at the beginning of such a report."""

_BEGINNING = 256


def is_report(path: Path) -> bool:
    """Whether a check has written the file: what anybody else wrote is never removed."""
    mark = _MARKS.get(path.suffix)
    if mark is None or path.is_symlink() or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return mark in file.read(_BEGINNING)
    except OSError:
        return False
