"""Where in a TOML text each key and each item of a list stands: ``tomllib`` does not say.

Only for text that ``tomllib`` has accepted, so that nothing is checked again. The scanner knows
what can hide a key: comments, four kinds of strings, arrays, inline tables, and the two kinds of
headers. Recursion is bounded, since ``tomllib`` recurses in the same way.

Source: TOML 1.0.0.
"""

from __future__ import annotations

import bisect
import re
import tomllib
from collections.abc import Iterable

from compress_core.spec.place import Place, Position

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")' r"|'''.*?'{3,5}(?!')" r'|"(?:[^"\\]|\\.)*"' r"|'[^']*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\r\n]+")


def places(text: str, file: str) -> Place:
    """The place of the whole text; it knows the positions of all that is below it."""
    scanner = _Scanner(text, file)
    scanner.document()
    return scanner.root


class _Scanner:
    """Goes through the text once and keeps the position of every key and item."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._positions: dict[str, Position] = {}
        self._tables: dict[str, int] = {}
        self.root = Place("", file, self._positions)

    def document(self) -> None:
        """Headers and the keys below them, to the end."""
        table = self.root
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _header(self) -> Place:
        """``[a.b]`` or ``[[a.b]]``: the table that the following keys belong to."""
        start = self._at
        listed = self._text.startswith("[[", start)
        self._at += 2 if listed else 1
        keys = self._keys()
        self._skip()
        self._at += 2 if listed else 1
        table = self._below(self.root, keys[:-1]).key(keys[-1])
        if listed:
            number = self._tables[table.path] = self._tables.get(table.path, -1) + 1
            self._mark(table, start)
            table = table.item(number)
        self._mark(table, start)
        return table

    def _below(self, place: Place, keys: Iterable[str]) -> Place:
        """The table that dotted keys lead to: in lists of tables, the last one."""
        for key in keys:
            place = place.key(key)
            if place.path in self._tables:
                place = place.item(self._tables[place.path])
        return place

    def _pair(self, table: Place) -> None:
        start = self._at
        keys = self._keys()
        self._skip()
        self._at += 1  # the equals sign
        self._skip()
        place = table
        for key in keys:
            place = place.key(key)
            self._mark(place, start)
        self._value(place)

    def _keys(self) -> list[str]:
        """A dotted key."""
        keys = [self._key()]
        self._skip()
        while self._text.startswith(".", self._at):
            self._at += 1
            keys.append(self._key())
            self._skip()
        return keys

    def _key(self) -> str:
        self._skip()
        bare = self._take(_BARE_KEY)
        if bare:
            return bare
        key: str = tomllib.loads(f"key = {self._take(_STRING)}")["key"]
        return key

    def _value(self, place: Place) -> None:
        if self._text.startswith("[", self._at):
            self._array(place)
        elif self._text.startswith("{", self._at):
            self._inline_table(place)
        elif not self._take(_STRING):
            self._take(_PLAIN)

    def _array(self, place: Place) -> None:
        self._at += 1
        number = 0
        while not self._closed("]"):
            item = place.item(number)
            self._mark(item, self._at)
            self._value(item)
            number += 1

    def _inline_table(self, place: Place) -> None:
        self._at += 1
        while not self._closed("}"):
            self._pair(place)

    def _closed(self, bracket: str) -> bool:
        """Skip to the next item; whether there is none."""
        self._skip()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip()
        if self._text.startswith(bracket, self._at):
            self._at += 1
            return True
        return False

    def _skip(self) -> None:
        self._take(_SPACE)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[0]

    def _mark(self, place: Place, at: int) -> None:
        line = bisect.bisect_right(self._lines, at)
        self._positions.setdefault(place.path, (line, at - self._lines[line - 1] + 1))
