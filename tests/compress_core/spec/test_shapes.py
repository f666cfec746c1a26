"""Plain data of the expected shape."""

from __future__ import annotations

import pytest

from compress_core.errors import SpecError
from compress_core.spec.place import Place
from compress_core.spec.shapes import given_values, items, mapping, mapping_of, text, texts

AT = Place().key("a")


def test_good_shapes_are_handed_on() -> None:
    assert mapping({"b": 1}, AT) == {"b": 1}
    assert mapping_of(("b", "c"), {"b": 1}, AT) == {"b": 1}
    assert text("b", AT) == "b"
    assert given_values({"b": 0, "c": False}, AT) == {"b": 0, "c": False}


def test_items_know_their_places() -> None:
    assert [(item, str(place)) for item, place in items([5, "b"], AT)] == [
        (5, "a[0]"),
        ("b", "a[1]"),
    ]
    assert [(item, str(place)) for item, place in texts(("b",), AT)] == [("b", "a[0]")]
    assert [(item, str(place)) for item, place in texts("b", AT)] == [("b", "a")]


@pytest.mark.parametrize("data", [None, 5, "b", [1], True])
def test_what_is_no_mapping_is_refused(data: object) -> None:
    with pytest.raises(SpecError, match="a is not a mapping of keys to values"):
        mapping(data, AT)


@pytest.mark.parametrize("data", [None, 5, "b", {"b": 1}, {"b"}])
def test_what_is_no_list_is_refused(data: object) -> None:
    with pytest.raises(SpecError, match="a is not a list"):
        items(data, AT)


@pytest.mark.parametrize("data", [None, 5, 0.5, b"b", ["b"]])
def test_what_is_no_text_is_refused(data: object) -> None:
    with pytest.raises(SpecError, match="a is not text"):
        text(data, AT)


def test_keys_are_known_texts() -> None:
    with pytest.raises(SpecError, match="key 5 is not text"):
        mapping({5: 1}, AT)
    with pytest.raises(SpecError, match="unknown key: 'bb'") as caught:
        mapping_of(("b", "match"), {"bb": 1}, AT)
    assert (caught.value.where, caught.value.hint) == ("a.bb", "did you mean b?")


def test_a_key_has_a_value() -> None:
    with pytest.raises(SpecError, match="b has no value") as caught:
        given_values({"b": None}, AT)
    assert caught.value.where == "a.b"
