"""Lists of patterns in plain data."""

from __future__ import annotations

import pytest

from compress_core.errors import SpecError
from compress_core.select import patterns
from compress_core.spec.patterns import match_at, patterns_at
from compress_core.spec.place import Place

PLACE = Place().key("match")


def test_one_or_many() -> None:
    assert match_at("a.*", PLACE) == patterns(["a.*"])
    assert patterns_at(["a", "re:b"], PLACE) == patterns(["a", "re:b"])
    assert [one.where for one in patterns_at(["a", "b"], PLACE)] == ["match[0]", "match[1]"]


def test_nothing_can_be_ignored_but_not_matched() -> None:
    assert patterns_at([], PLACE) == ()
    with pytest.raises(SpecError, match="match is empty"):
        match_at([], PLACE)


def test_a_mistake_has_its_place() -> None:
    with pytest.raises(SpecError) as caught:
        patterns_at(["a", "re:("], PLACE)
    assert caught.value.where == "match[1]"
