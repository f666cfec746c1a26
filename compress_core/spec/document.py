"""YAML text becomes plain data and the position of each of its parts.

Built on the events of PyYAML's safe loader, one step before it makes nodes and objects: nothing is
constructed that the text does not spell out, and the work is linear in the text.
"""

from __future__ import annotations

from typing import NoReturn, Protocol

import yaml

from compress_core.errors import SpecError, UsageError
from compress_core.near import shown
from compress_core.spec.place import Place, Position
from compress_core.spec.scalars import scalar

MAX_DEPTH = 50
MAX_VALUES = 50_000  # a megabyte has room for ten times as many, at 40 µs each
_STAR = "quote patterns that begin with *"


class _Mark(Protocol):
    line: int
    column: int


def parse(text: str, file: str) -> tuple[object, Place]:
    """The one document of ``text`` as mappings, lists and scalars, and the place it stands at.

    :raises SpecError: no YAML, or YAML that the spec's grammar has no use for: aliases, anchors,
        merge keys, tags, directives, duplicate or non-text keys, several documents, more than 50
        levels or 50,000 values.
    """
    parser = _Parser(text, file)
    return parser.document(), parser.root


class _Parser:
    """Reads events one by one and keeps the position of every key and item."""

    def __init__(self, text: str, file: str) -> None:
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        self._reached: _Mark | None = None
        self._positions: dict[str, Position] = {}
        self.root = Place("", file, self._positions)

    def document(self) -> object:
        """The data of the document, read to the end of the text."""
        self._next()  # the start of the stream
        start = self._next()
        if not isinstance(start, yaml.DocumentStartEvent):
            raise self.root.error("the spec is empty", "begin with the line: version: 1")
        if start.version is not None or start.tags:
            self._refuse("a spec takes no directives", start, self.root)
        data = self._value(self._next(), self.root, 0)
        self._next()  # the end of the document
        rest = self._next()
        if not isinstance(rest, yaml.StreamEndEvent):
            self._refuse("a second document begins", rest, self.root, "write one spec a file")
        return data

    def _next(self) -> yaml.Event:
        try:
            event = next(self._events)
        except yaml.MarkedYAMLError as error:
            raise self._syntax_error(error) from None
        except (ValueError, OverflowError):  # an escape such as \Uffffffff
            raise self._error("not YAML: no such character", self._reached, "") from None
        self._reached = event.end_mark
        return event

    def _value(self, event: yaml.Event, place: Place, depth: int) -> object:
        self._positions.setdefault(place.path, _position(event.start_mark))
        if len(self._positions) > MAX_VALUES:
            self._refuse(f"more than {MAX_VALUES:,} values", event, self.root)
        node = self._node(event, place)
        if isinstance(node, yaml.ScalarEvent):
            return self._scalar(node, place)
        if depth == MAX_DEPTH:
            self._refuse(f"more than {MAX_DEPTH} levels", event, self.root)
        if isinstance(node, yaml.SequenceStartEvent):
            return self._sequence(place, depth)
        return self._mapping(place, depth)

    def _node(
        self, event: yaml.Event, place: Place
    ) -> yaml.ScalarEvent | yaml.CollectionStartEvent:
        """``event``, unless it refers to something that stands elsewhere."""
        if not isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            self._refuse("a spec takes no aliases", event, place, _STAR)
        if event.anchor is not None:
            self._refuse("a spec takes no anchors", event, place, "quote a text that begins with &")
        if event.tag is not None:
            self._refuse("a spec takes no tags", event, place, "quote a text that begins with !")
        return event

    def _sequence(self, place: Place, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._value(event, place.item(len(items)), depth + 1))
        return items

    def _mapping(self, place: Place, depth: int) -> dict[str, object]:
        given: dict[str, object] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event, place)
            at = place.key(key)
            if key in given:
                line, _ = self._positions[at.path]
                self._refuse(
                    f"key {shown(key)} stands twice", event, at, f"it is in line {line} already"
                )
            self._positions[at.path] = _position(event.start_mark)
            given[key] = self._value(self._next(), at, depth + 1)
        return given

    def _key(self, event: yaml.Event, place: Place) -> str:
        node = self._node(event, place)
        if not isinstance(node, yaml.ScalarEvent):
            self._refuse("a key is a list or a mapping", event, place, "keys are words")
        if node.value == "<<" and node.style is None:
            self._refuse("a spec takes no merge keys", event, place, "write the keys out")
        key = self._scalar(node, place)
        if not isinstance(key, str):
            self._refuse(f"key {shown(key)} is not text", event, place, "quote it")
        return key

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> object:
        if event.style is not None:
            return event.value
        try:
            return scalar(event.value)
        except UsageError as error:
            raise self._error(error.message, event.start_mark, place.path, error.hint) from None

    def _refuse(
        self, message: str, event: yaml.Event, place: Place, hint: str | None = None
    ) -> NoReturn:
        raise self._error(message, event.start_mark, place.path, hint)

    def _syntax_error(self, error: yaml.MarkedYAMLError) -> SpecError:
        """What PyYAML says, in one line."""
        star = (error.context or "").endswith("alias")
        mark = error.context_mark if star else error.problem_mark
        said = " ".join(filter(None, (error.context, error.problem)))
        return self._error(f"not YAML: {said}", mark, "", _STAR if star else None)

    def _error(
        self, message: str, mark: _Mark | None, path: str, hint: str | None = None
    ) -> SpecError:
        """An error at the very spot, which need not be where the value at ``path`` begins."""
        return Place(path, self.root.file, {path: _position(mark)}).error(message, hint)


def _position(mark: _Mark | None) -> Position:
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
