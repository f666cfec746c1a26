"""Options: what they accept, and the way of their values to a dictionary and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core import registry
from compress_core.errors import UsageError
from compress_core.fields import Configured, Option, option, options_of


@dataclass(frozen=True)
class Paint(Configured):
    """One field of each type."""

    share: float | None = option("a share", float, minimum=0, maximum=1, replaces=("above",))
    above: float | None = option("a magnitude", float, minimum=0, replaces=("share",))
    coats: int = option("how many", int, minimum=1, default=1)
    size: int | str = option("how large", int, choices=("all",), minimum=1, default="all")
    shape: str = option(
        "a shape",
        str,
        choices=("row",),
        pattern=r"\d+of\d+",
        examples=("2of4",),
        aliases=((r"(\d+):(\d+)", r"\1of\2"), (r"line|ROWS", "row")),
        default="row",
    )
    glossy: bool = option("whether it shines", bool, default=True)
    note: str = "not an option"


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "share": st.none() | st.floats(0, 1),
    "above": st.none() | st.floats(0, 1e9),
    "coats": st.integers(1, 2**63 - 1),
    "size": st.just("all") | st.integers(1, 2**40),
    "shape": st.sampled_from(["row", "2of4", "1of1"]),
    "glossy": st.booleans(),
}


def test_options_come_in_their_order_and_without_other_fields() -> None:
    assert list(options_of(Paint)) == ["share", "above", "coats", "size", "shape", "glossy"]
    described, default = options_of(Paint)["coats"]
    assert (described.help, described.type, default) == ("how many", int, 1)


@pytest.mark.parametrize(
    ("name", "written", "kept"),
    [
        ("share", 1, 1.0),
        ("share", -0.0, 0.0),
        ("coats", 3.0, 3),
        ("size", "ALL", "all"),
        ("size", 128, 128),
        ("shape", "2:4", "2of4"),
        ("shape", "ROWS", "row"),
        ("shape", "Row", "row"),
        ("glossy", False, False),
    ],
)
def test_values_become_canonical(name: str, written: object, kept: object) -> None:
    value = getattr(Paint(**{name: written}), name)  # type: ignore[arg-type]
    assert (value, type(value)) == (kept, type(kept))
    assert math.copysign(1, value) == 1 if isinstance(value, float) else True


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("share", 1.5, "a number from 0 to 1"),
        ("share", -1, "a number from 0 to 1"),
        ("share", math.nan, "a number from 0 to 1"),
        ("share", "0.5", "a number from 0 to 1"),
        ("share", True, "a number from 0 to 1"),
        ("share", [0.5], "a number from 0 to 1"),
        ("above", math.inf, "a number of 0 or more"),
        pytest.param("above", 10**400, "a number of 0 or more", id="beyond floats"),
        ("coats", 0, "a whole number of 1 or more"),
        ("coats", 1.5, "a whole number of 1 or more"),
        ("coats", None, "a whole number of 1 or more"),
        pytest.param("coats", 10**5000, "a whole number of 1 or more", id="beyond printing"),
        ("size", "most", "a whole number of 1 or more, 'all'"),
        ("shape", "4of", "'row', 2of4"),
        ("shape", "line up", "'row', 2of4"),
        ("shape", 24, "'row', 2of4"),
        ("glossy", 1, "true, false"),
        ("glossy", "true", "true, false"),
    ],
)
def test_what_is_not_accepted_is_refused_with_what_is(name: str, value: object, takes: str) -> None:
    with pytest.raises(UsageError, match=f"^{name}: .* is not accepted") as caught:
        Paint.from_config({name: value})
    assert caught.value.where == name
    assert caught.value.hint == f"{name} takes {takes}"


def test_a_maximum_alone_is_said() -> None:
    assert Option("", int, maximum=8).accepts() == "a whole number of 8 or less"
    assert Option("", float).accepts() == "a number"
    assert Option("", str, pattern=".+").accepts() == "text"


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown option: coat") as caught:
        Paint.from_config({"coat": 2})
    assert (caught.value.where, caught.value.hint) == ("coat", "did you mean coats?")


def test_only_what_differs_from_the_defaults_is_configuration() -> None:
    assert Paint().config() == {}
    assert Paint(coats=2, glossy=True).config() == {"coats": 2}


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_configuration_round_trips(options: dict[str, Any]) -> None:
    paint = Paint(**options)
    assert Paint.from_config(paint.config()) == paint
    assert Paint.from_config(options) == paint


@given(st.fixed_dictionaries({}, optional=VALUES), st.fixed_dictionaries({}, optional=VALUES))
def test_a_difference_leads_from_one_to_the_other(one: dict[str, Any], two: dict[str, Any]) -> None:
    before, after = Paint(**one), Paint(**two)
    assert before.changed(before.difference(after)) == after
    assert before.difference(before) == {}


def test_an_option_takes_back_what_it_replaces() -> None:
    assert Paint(share=0.5, coats=2).changed({"above": 3}) == Paint(above=3, coats=2)
    assert Paint(share=0.5).changed({"coats": 2}) == Paint(share=0.5, coats=2)
    assert Paint(share=0.5).changed({"above": None}) == Paint(share=0.5)
    assert Paint(share=0.5).difference(Paint(above=3)) == {"above": 3.0}


def test_none_takes_an_option_back_to_its_default() -> None:
    assert Paint(share=0.5, coats=2).changed({"coats": None, "share": None}) == Paint()


def test_a_change_is_checked_as_everything_is() -> None:
    with pytest.raises(UsageError, match="coats: 0 is not accepted"):
        Paint().changed({"coats": 0})
    with pytest.raises(UsageError, match="unknown option: coat"):
        Paint().changed({"coat": None})


@pytest.mark.parametrize("name", registry.names("passes"))
def test_passes_describe_every_option_and_accept_their_own_defaults(name: str) -> None:
    for key, (described, default) in options_of(registry.get("passes", name)).items():
        assert described.help
        assert not described.help.endswith(".")
        assert default is None or described.check(key, default) == default
