"""Markdown, as GitHub shows it in comments and summaries."""

from __future__ import annotations

import re

from modelopt_cli.printable import printable
from modelopt_cli.render.base import Column, Look, Result, Sheet

FOR_FILES = True

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def render(result: Result, look: Look) -> str:
    """One table a sheet, the first column in code spans, the sentences below it."""
    return "\n".join(_sheet(sheet, look.encoding) for sheet in result.sheets())


def _sheet(sheet: Sheet, encoding: str) -> str:
    lines = [f"### {_text(sheet.title, encoding)}", ""] if sheet.title else []
    lines.append(_line([_text(column.title, encoding) for column in sheet.columns]))
    lines.append(_line([_rule(column) for column in sheet.columns]))
    for row in sheet.rows:
        name, *numbers = (printable(cell, encoding) for cell in row.cells)
        lines.append(_line([name if row.total else _code(name), *map(_escaped, numbers)]))
    for sentence in sheet.lines:
        lines += ["", _text(sentence, encoding)]
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(column: Column) -> str:
    return "---:" if column.align == "right" else "---"


def _text(text: str, encoding: str) -> str:
    return _escaped(printable(text, encoding))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _code(name: str) -> str:
    # a table is cut into cells before code spans are seen, so a bar needs its backslash even here
    fence = "``" if "`" in name else "`"
    gap = " " if "`" in name else ""
    return f"{fence}{gap}{name}{gap}{fence}".replace("|", "\\|")
