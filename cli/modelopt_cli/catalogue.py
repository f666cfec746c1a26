"""What there is to choose from and what is read: passes, presets, layouts, formats, conventions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from compress_core import presets, registry
from compress_core.errors import UsageError
from compress_core.fields import Option, Scalar, options_of
from compress_core.formats.base import Format
from compress_core.near import did_you_mean, shown


def written(value: Scalar) -> str:
    """A value as it stands in a spec and behind ``--pass``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Setting:
    """One option: of a pass, what it takes; of a preset, what it is set to.

    :ivar value: its default, or what the preset gives it; ``None``: see ``otherwise``.
    """

    name: str
    described: Option
    value: Scalar

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.name,
            "value": self.value,
            "otherwise": self.described.otherwise,
            "type": self.described.type.__name__,
            "choices": list(self.described.choices),
            "minimum": self.described.minimum,
            "maximum": self.described.maximum,
            "accepts": self.described.accepts(),
            "meaning": self.described.help,
        }


@dataclass(frozen=True)
class Entry:
    """Something that can be named on the command line or in a spec.

    :ivar facts: what is fixed about it.
    :ivar settings: its options.
    """

    id: str
    summary: str
    facts: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[Setting, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        options = [setting.to_json() for setting in self.settings]
        return {"id": self.id, "summary": self.summary, **self.facts, "options": options}


def ids(kind: str) -> tuple[str, ...]:
    """The names of one of :data:`KINDS`; nothing is imported for them."""
    return tuple(presets.PRESETS) if kind == "presets" else registry.names(kind)


def entry(kind: str, name: str) -> Entry:
    """One thing of a kind.

    :raises UsageError: there is none of that name; the hint says the nearest.
    """
    return KINDS[_kind(kind)](name)


def entries(kind: str) -> tuple[Entry, ...]:
    """Everything of a kind.

    :raises UsageError: there is no such kind.
    """
    return tuple(map(KINDS[_kind(kind)], ids(kind)))


def _kind(word: str) -> str:
    if word in KINDS:
        return word
    raise UsageError(
        f"nothing is called {shown(word)}", hint=did_you_mean(word, KINDS, "there are")
    )


def _pass(name: str) -> Entry:
    cls = registry.get("passes", name)
    settings = (Setting(key, *described) for key, described in options_of(cls).items())
    return Entry(name, cls.summary, settings=tuple(settings))


def _preset(name: str) -> Entry:
    name = presets.find(name)
    known = options_of(registry.get("passes", "quantize"))
    given = presets.PRESETS[name]
    settings = (Setting(key, known[key][0], value) for key, value in given.items())
    summary = "quantize " + " ".join(f"{key}={written(value)}" for key, value in given.items())
    return Entry(name, summary, settings=tuple(settings))


def _layout(name: str) -> Entry:
    cls = registry.get("layouts", name)
    facts = {
        "read_by": cls.read_by,
        "saves_bytes": "only by a cast" if cls.keeps_values else "yes",
        "file_in_a_folder": f"{cls.stem}.safetensors",
    }
    return Entry(name, cls.summary, facts)


def _format(name: str) -> Entry:
    cls: type[Format] = registry.get("formats", name)
    written = cls.writer.__func__ is not Format.writer.__func__  # type: ignore[attr-defined]
    return Entry(name, cls.summary, {"use": "read and written" if written else "read"})


def _convention(name: str) -> Entry:
    cls = registry.get("conventions", name)
    return Entry(name, cls.summary, {"use": "read", "written_by": cls.written_by})


KINDS: Mapping[str, Callable[[str], Entry]] = {
    "passes": _pass,
    "presets": _preset,
    "layouts": _layout,
    "formats": _format,
    "conventions": _convention,
}
"""Kind → what makes an entry of a name."""
