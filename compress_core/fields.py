"""Options of a pass as dataclass fields: one source for flags, YAML keys, JSON Schema and docs.

    @dataclass(frozen=True)
    class Clip(Pass):
        bound: float | None = option("largest magnitude that stays", float, minimum=0)

The value of a field is always the plain YAML scalar (or ``None`` for "not given"), so ``config()``
is a dictionary that round-trips through YAML, JSON and the command line.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from compress_core.errors import UsageError
from compress_core.near import did_you_mean, shown

Scalar = bool | int | float | str | None

_KEY = "compress_core.option"
_LARGEST_INTEGER = 2**63


@dataclass(frozen=True, slots=True)
class Option:
    """What one field accepts and means.

    :ivar help: one line, no full stop.
    :ivar type: ``bool``, ``int``, ``float``, or ``str`` for words alone.
    :ivar choices: words accepted as they stand.
    :ivar minimum: smallest number accepted (inclusive), likewise ``maximum``.
    :ivar pattern: other words that are accepted, as a regular expression; ``examples`` shows some.
    :ivar aliases: other ways to write a word: regular expression → replacement.
    :ivar otherwise: what holds when a field without a default is not given, in words.
    :ivar replaces: options that this one stands in for: a rule that sets it takes them back.
    """

    help: str
    type: type
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    examples: tuple[str, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    otherwise: str | None = None
    replaces: tuple[str, ...] = ()

    def accepts(self) -> str:
        """What may be written, for messages and help: ``'a number from 0 to 1'``."""
        words = [f"'{word}'" if len(self.choices) == 1 else word for word in self.choices]
        if self.type is bool:
            return "true, false"
        if self.type in (int, float):
            words.insert(0, self._range())
        return ", ".join([*words, *self.examples]) or "text"

    def _range(self) -> str:
        noun = "a whole number" if self.type is int else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{noun} from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{noun} of {self.minimum:g} or more"
        return noun if self.maximum is None else f"{noun} of {self.maximum:g} or less"

    def check(self, name: str, value: object) -> Scalar:
        """``value`` in its canonical form.

        :raises UsageError: it is not what :meth:`accepts` says; ``where`` is the field's name.
        """
        good = self._canonical(value)
        if good is None:
            raise UsageError(
                f"{name}: {shown(value)} is not accepted",
                where=name,
                hint=f"{name} takes {self.accepts()}",
            )
        return good

    def _canonical(self, value: object) -> Scalar:
        if self.type is bool:
            return value if isinstance(value, bool) else None
        if isinstance(value, str):
            return self._word(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return None
        return self._number(value)

    def _word(self, value: str) -> Scalar:
        for pattern, replacement in self.aliases:
            value = re.sub(rf"\A(?:{pattern})\Z", replacement, value)
        by_case = {word.lower(): word for word in self.choices}
        if value.lower() in by_case:
            return by_case[value.lower()]
        if self.pattern is not None and re.fullmatch(self.pattern, value):
            return value
        return None

    def _number(self, value: int | float) -> Scalar:
        if self.type not in (int, float) or not abs(value) < _LARGEST_INTEGER:
            return None  # infinite, NaN, or beyond what JSON readers and file headers can hold
        if self.type is int and value != int(value):
            return None
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        # "+ 0" turns -0.0 into 0.0: one value, one spelling
        return self.type(value) + 0 if low <= value <= high else None


def option(help: str, type: type, *, default: Scalar = None, **details: Any) -> Any:
    """A dataclass field that carries an :class:`Option`; ``details`` are its other attributes."""
    return dataclasses.field(default=default, metadata={_KEY: Option(help, type, **details)})


def options_of(cls: type) -> dict[str, tuple[Option, Scalar]]:
    """Field name → (option, default) for the fields made by :func:`option`, in their order."""
    found: dict[str, tuple[Option, Scalar]] = {}
    for field in fields(cls):
        if _KEY in field.metadata:
            default: Any = field.default
            found[field.name] = (field.metadata[_KEY], default)
    return found


class Configured:
    """Mixed into a frozen dataclass of :func:`option` fields: a plain dictionary and back."""

    def __post_init__(self) -> None:
        for name, (described, default) in options_of(type(self)).items():
            value = getattr(self, name)
            if value is not None or default is not None:
                object.__setattr__(self, name, described.check(name, value))

    def config(self) -> dict[str, Any]:
        """The fields that differ from their default; ``from_config`` takes it back."""
        return {
            name: getattr(self, name)
            for name, (_, default) in options_of(type(self)).items()
            if getattr(self, name) != default
        }

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> Self:
        """An object from a dictionary of fields.

        :raises UsageError: an unknown field or a value that is not accepted.
        """
        known = options_of(cls)
        for name in config:
            if name not in known:
                raise UsageError(
                    f"unknown option: {name}",
                    where=name,
                    hint=did_you_mean(name, known, "options"),
                )
        return cls(**dict(config))

    def changed(self, overrides: Mapping[str, object]) -> Self:
        """This object with other options; ``None`` takes an option back to its default.

        :raises UsageError: as :meth:`from_config` does.
        """
        known = options_of(type(self))
        merged: dict[str, object] = self.config()
        for name in self._replaced_by(overrides):
            merged.pop(name, None)
        merged.update(overrides)
        return self.from_config(
            {
                name: value
                for name, value in merged.items()
                if value is not None or name not in known
            }
        )

    def difference(self, other: Self) -> dict[str, Scalar]:
        """The overrides with which :meth:`changed` gives ``other``."""
        wanted = {name: getattr(other, name) for name in options_of(type(self))}
        said = {name: value for name, value in wanted.items() if value != getattr(self, name)}
        # what would be taken back, and is wanted, has to be said again
        while again := {name: wanted[name] for name in self._replaced_by(said) - said.keys()}:
            said |= again
        replaced = self._replaced_by(said)
        return {
            name: said[name]
            for name in wanted
            if name in said and not (said[name] is None and name in replaced)
        }

    @classmethod
    def _replaced_by(cls, overrides: Mapping[str, object]) -> set[str]:
        known = options_of(cls)
        given = (name for name, value in overrides.items() if value is not None and name in known)
        return {other for name in given for other in known[name][0].replaces}
