"""Near names and short values for messages."""

from __future__ import annotations

import pytest

from compress_core.near import did_you_mean, nearest, shown


def test_the_nearest_come_first_whatever_their_case() -> None:
    assert nearest("w4a16", ["W8A16", "W4A16", "other"])[0] == "W4A16"
    assert nearest("group-size", ["group_size", "bits"]) == ["group_size"]
    assert nearest("xyz", ["group_size", "bits"]) == []
    assert nearest("bits", ["bits1", "bits2", "bits3"], 2) == ["bits3", "bits2"]


def test_a_hint_names_the_nearest_or_all() -> None:
    assert did_you_mean("prun", ["prune", "quantize"]) == "did you mean prune?"
    assert did_you_mean("x", ["prune", "quantize"], "passes") == "passes: prune, quantize"
    assert did_you_mean("x", []) == "known: none"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[31m", r"'a\x1b[31m'"),
        (0.5, "0.5"),
        (True, "True"),
        (10**20, "100000000000000000000"),
        pytest.param(10**5000, "a number of more than 38 digits", id="beyond printing"),
        ("x" * 70, f"'{'x' * 56}..."),
    ],
)
def test_values_in_messages_are_short_and_escaped(value: object, text: str) -> None:
    assert shown(value) == text
