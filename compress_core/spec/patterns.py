"""Lists of patterns in plain data."""

from __future__ import annotations

from compress_core.select import Pattern
from compress_core.spec.place import Place
from compress_core.spec.shapes import texts


def match_at(value: object, place: Place) -> tuple[Pattern, ...]:
    """The patterns of a ``match``, at least one.

    :raises SpecError: there is none, or one is no pattern.
    """
    found = patterns_at(value, place)
    if not found:
        raise place.error("match is empty: it takes no tensor", "'*' stands for all tensors")
    return found


def patterns_at(value: object, place: Place) -> tuple[Pattern, ...]:
    """The patterns of a list, each with its place.

    :raises SpecError: one is no pattern.
    """
    return tuple(_pattern(written, at) for written, at in texts(value, place))


def _pattern(written: str, place: Place) -> Pattern:
    with place.blaming():
        return Pattern(written, where=str(place))
