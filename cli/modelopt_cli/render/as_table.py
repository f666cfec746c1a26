"""A table for terminals.

Laid out by hand: Rich's own table takes eight seconds for the 20,000 tensors that a checkpoint may
have. Rich knows how many cells a character fills, and that is taken from it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

import click
from rich.cells import cell_len, set_cell_size

from modelopt_cli.printable import printable
from modelopt_cli.render.base import Column, Look, Result, Row, Sheet

FOR_FILES = False

_GAP = 2
_LEAST = 12


def render(result: Result, look: Look) -> str:
    """One table a sheet, with an empty line between two."""
    return "\n".join(_sheet(sheet, look) for sheet in result.sheets())


def _sheet(sheet: Sheet, look: Look) -> str:
    lines = [_styled(line, look, bold=True) for line in _sentence(sheet.title or "", look)]
    lines += _grid(_fitted(sheet, look), look)
    lines += [line for sentence in sheet.lines for line in _sentence(sentence, look)]
    return "".join(f"{line}\n" for line in lines)


def _sentence(text: str, look: Look) -> list[str]:
    """A text on as many lines as a terminal needs; nothing for an empty one."""
    text = printable(text, look.encoding)
    if not look.cut or cell_len(text) <= look.width:
        return [text] if text else []
    # paths stay whole, and can be copied
    return textwrap.wrap(text, look.width, break_long_words=False, break_on_hyphens=False)


def _fitted(sheet: Sheet, look: Look) -> Sheet:
    """The sheet in characters that can be written, without wide columns where there is no room."""
    sheet = _printable(sheet, look.encoding)
    if _line_width(_widths(sheet)) > look.width:
        sheet = _with_wrapped(_only(sheet, lambda column: not column.wide), look.width)
    if look.cut and _least_width(sheet) > look.width:
        sheet = _only(sheet, lambda column: not column.spare)
    excess = _line_width(_widths(sheet)) - look.width
    if look.cut and excess > 0:
        room = max(_widths(sheet)[0] - excess, _LEAST)
        sheet = _with_short_names(sheet, room, look.encoding)
    return sheet


def _printable(sheet: Sheet, encoding: str) -> Sheet:
    columns = tuple(
        replace(column, title=printable(column.title, encoding)) for column in sheet.columns
    )
    rows = tuple(
        Row(tuple(printable(cell, encoding) for cell in row.cells), row.total) for row in sheet.rows
    )
    return Sheet(columns, rows)


def _only(sheet: Sheet, wanted: Callable[[Column], bool]) -> Sheet:
    stay = [index for index, column in enumerate(sheet.columns) if wanted(column)]
    return Sheet(
        tuple(sheet.columns[index] for index in stay),
        tuple(Row(tuple(row.cells[index] for index in stay), row.total) for row in sheet.rows),
    )


def _with_wrapped(sheet: Sheet, width: int) -> Sheet:
    """The sheet with prose on as many lines as it takes."""
    if not any(column.wraps for column in sheet.columns):
        return sheet
    widths = _narrowed(sheet, width)
    rows = (line for row in sheet.rows for line in _wrapped(row, sheet.columns, widths))
    return Sheet(sheet.columns, tuple(rows))


def _narrowed(sheet: Sheet, width: int) -> list[int]:
    """Widths with which the line fits, if prose can do that; the widest gives first."""
    widths = _widths(sheet)
    prose = [index for index, column in enumerate(sheet.columns) if column.wraps]
    while _line_width(widths) > width:
        widest = max(prose, key=lambda index: widths[index])
        if widths[widest] <= max(_LEAST, cell_len(sheet.columns[widest].title)):
            break
        widths[widest] -= 1
    return widths


def _wrapped(row: Row, columns: Sequence[Column], widths: Sequence[int]) -> list[Row]:
    cells = [
        textwrap.wrap(cell, width, break_on_hyphens=False) or [""] if column.wraps else [cell]
        for cell, column, width in zip(row.cells, columns, widths, strict=True)
    ]
    return [Row(line, row.total) for line in zip_longest(*cells, fillvalue="")]


def _with_short_names(sheet: Sheet, room: int, encoding: str) -> Sheet:
    rows = (
        Row((_shortened(row.cells[0], room, encoding), *row.cells[1:]), row.total)
        for row in sheet.rows
    )
    return Sheet(sheet.columns, tuple(rows))


def _shortened(name: str, room: int, encoding: str) -> str:
    """``name`` without its middle: both ends tell layers apart."""
    if cell_len(name) <= room:
        return name
    dots = printable("…", encoding)
    front = (room - cell_len(dots)) // 2
    tail = name[-(room - cell_len(dots) - front) :]
    while cell_len(tail) > room - cell_len(dots) - front:
        tail = tail[1:]
    return set_cell_size(name, front) + dots + tail


def _widths(sheet: Sheet) -> list[int]:
    widths = [cell_len(column.title) for column in sheet.columns]
    for row in sheet.rows:
        widths = list(map(max, widths, map(cell_len, row.cells)))
    return widths


def _line_width(widths: Iterable[int]) -> int:
    return sum(width + _GAP for width in widths)


def _least_width(sheet: Sheet) -> int:
    """Width of a line with names as short as they get."""
    names, *others = _widths(sheet)
    return _line_width([min(names, _LEAST), *others])


def _grid(sheet: Sheet, look: Look) -> list[str]:
    widths = _widths(sheet)
    rule = " " + printable("─", look.encoding) * (_line_width(widths) - _GAP)
    titles = [column.title for column in sheet.columns]
    return [
        _styled(_line(titles, sheet.columns, widths), look, bold=True),
        _styled(rule, look, dim=True),
        *(
            _styled(_line(row.cells, sheet.columns, widths), look, bold=row.total)
            for row in sheet.rows
        ),
    ]


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    padded = map(_padded, cells, columns, widths)
    return (" " + (" " * _GAP).join(padded)).rstrip()


def _padded(cell: str, column: Column, width: int) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if column.align == "right" else cell + space


def _styled(line: str, look: Look, *, bold: bool = False, dim: bool = False) -> str:
    plain = not look.colour or not (bold or dim)
    return line if plain else click.style(line, bold=bold or None, dim=dim or None)
