"""What lists of passes, presets, layouts and formats have to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelopt_cli.catalogue import Entry, Setting, written
from modelopt_cli.render.base import Column, Row, Sheet
from modelopt_cli.render.numbers import NOTHING

SCHEMA = "modelopt.list/1"


@dataclass(frozen=True)
class Listing:
    """All entries of a kind, in one table."""

    kind: str
    entries: tuple[Entry, ...]

    def to_json(self) -> Mapping[str, Any]:
        """Every entry whole."""
        found = [entry.to_json() for entry in self.entries]
        return {"schema": SCHEMA, "kind": self.kind, "entries": found}

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One record an entry, without its options."""
        return [{"id": entry.id, "summary": entry.summary, **entry.facts} for entry in self.entries]

    def sheets(self) -> Sequence[Sheet]:
        """One line an entry; of its facts, those that there is room for."""
        facts = list(self.entries[0].facts) if self.entries else []
        columns = (
            Column(self.kind.capitalize(), "left"),
            Column("Summary", "left", wraps=True),
            *(
                Column(_title(fact), "left", wide=at > 0, wraps=True)
                for at, fact in enumerate(facts)
            ),
        )
        rows = (Row((entry.id, entry.summary, *entry.facts.values())) for entry in self.entries)
        return [Sheet(columns, tuple(rows))]


@dataclass(frozen=True)
class Details(Listing):
    """One entry, with its options."""

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One record an option; the entry itself, if it has none."""
        found = [
            {**setting.to_json(), "choices": " ".join(setting.described.choices)}
            for entry in self.entries
            for setting in entry.settings
        ]
        return found or super().records()

    def sheets(self) -> Sequence[Sheet]:
        """Its options, or the facts where it has none."""
        how = {"passes": _defaults, "presets": _values}.get(self.kind, _facts)
        return [how(entry) for entry in self.entries]


def _defaults(entry: Entry) -> Sheet:
    rows = (
        Row((one.name, _value(one), f"{one.described.help}: {one.described.accepts()}"))
        for one in entry.settings
    )
    return _sheet(_titled(entry), ("Option", "Default", "Meaning: accepted values"), rows)


def _values(entry: Entry) -> Sheet:
    rows = (Row((one.name, _value(one), one.described.help)) for one in entry.settings)
    return _sheet(_titled(entry), ("Option", "Value", "Meaning"), rows)


def _facts(entry: Entry) -> Sheet:
    known = {"summary": entry.summary, **entry.facts}
    rows = (Row((_title(key), value)) for key, value in known.items())
    return _sheet(entry.id, ("Fact", "Value"), rows)


def _titled(entry: Entry) -> str:
    return f"{entry.id}: {entry.summary}"


def _sheet(heading: str, titles: Sequence[str], rows: Iterable[Row]) -> Sheet:
    columns = tuple(Column(word, "left", wraps=at > 0) for at, word in enumerate(titles))
    return Sheet(columns, tuple(rows), title=heading)


def _value(setting: Setting) -> str:
    if setting.value is None:
        return setting.described.otherwise or NOTHING
    return written(setting.value)


def _title(key: str) -> str:
    return key.replace("_", " ").capitalize()
