"""CSV: one line a tensor, exact numbers, the keys of the JSON form as header."""

from __future__ import annotations

import csv
import io

from modelopt_cli.printable import printable
from modelopt_cli.render.base import Look, Result

FOR_FILES = True


def render(result: Result, look: Look) -> str:
    """RFC 4180 with plain line ends; lists are joined by ``x``, what is not known is empty."""
    records = result.records()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    for record in records:
        writer.writerow({key: _cell(value, look.encoding) for key, value in record.items()})
    return text.getvalue()


def _cell(value: object, encoding: str) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "x".join(map(str, value))
    return printable(str(value), encoding)
