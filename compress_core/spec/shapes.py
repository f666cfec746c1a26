"""Plain data of the shape that the grammar asks for, or an error that says where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compress_core.near import nearest, shown
from compress_core.spec.place import Place


def mapping(data: object, place: Place) -> Mapping[str, object]:
    """``data``, if it is a mapping with text as keys.

    :raises SpecError: it is not.
    """
    if not isinstance(data, Mapping):
        raise place.error(f"{_noun(place)} is not a mapping of keys to values: {shown(data)}")
    for key in data:
        if not isinstance(key, str):
            raise place.error(f"key {shown(key)} is not text", "quote it")
    return data


def mapping_of(known: Iterable[str], data: object, place: Place) -> Mapping[str, object]:
    """``data``, if it is a mapping whose keys are all ``known``.

    :raises SpecError: it is not; the hint names the nearest key.
    """
    given = mapping(data, place)
    keys = tuple(known)
    for key in given:
        if key not in keys:
            close = nearest(key, keys, 1)
            raise place.key(key).error(
                f"unknown key: {shown(key)}",
                f"did you mean {close[0]}?" if close else f"keys: {', '.join(keys)}",
            )
    return given


def items(data: object, place: Place) -> list[tuple[object, Place]]:
    """The items of a list, each with its place.

    :raises SpecError: ``data`` is no list.
    """
    if not isinstance(data, (list, tuple)):
        raise place.error(
            f"{_noun(place)} is not a list: {shown(data)}", "write [a, b], or lines of - a"
        )
    return [(item, place.item(index)) for index, item in enumerate(data)]


def texts(data: object, place: Place) -> list[tuple[str, Place]]:
    """The texts of a list, each with its place; one text stands for a list of one.

    :raises SpecError: ``data`` is no list of texts.
    """
    if isinstance(data, str):
        return [(data, place)]
    return [(text(item, at), at) for item, at in items(data, place)]


def text(data: object, place: Place, hint: str = "put it in quotes") -> str:
    """``data``, if it is text.

    :raises SpecError: it is not.
    """
    if not isinstance(data, str):
        raise place.error(f"{_noun(place)} is not text: {shown(data)}", hint)
    return data


def given_values(options: Mapping[str, object], place: Place) -> Mapping[str, object]:
    """``options``, if each has a value: a key with nothing behind it is a slip.

    :raises SpecError: one has none.
    """
    for key, value in options.items():
        if value is None:
            raise place.key(key).error(f"{key} has no value", f"leave {key} out, or give it one")
    return options


def _noun(place: Place) -> str:
    return place.path.rpartition(".")[2] or "the spec"
