"""Errors as text of a known length."""

from __future__ import annotations

import pytest

from compress_core.errors import FormatError
from compress_core.recorded import errors_text, parsed, read_errors


def test_errors_come_back_and_take_as_much_room_as_none() -> None:
    rows = [(1.5e-300, 2.0, 0.125, 10**15), (0.0, 0.0, 0.0, 0)]
    text = errors_text(rows)
    assert read_errors(text, "key") == rows
    assert len(text) == len(errors_text([(0.0, 0.0, 0.0, 0)] * 2))


@pytest.mark.parametrize(
    "text", ["{}", "[1]", "[[1,2,3]]", '[["a",1,1,1]]', "[[-1,0,0,0]]", "[", ""]
)
def test_damage_is_said_with_the_key(text: str) -> None:
    with pytest.raises(FormatError, match="key"):
        read_errors(text, "key")


def test_constants_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(FormatError, match="not JSON"):
        parsed("[NaN]", "key")
