"""JSON of unknown origin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.errors import FormatError
from compress_core.strict_json import is_text, parse_object, shown

text = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(0.5, 2) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
)


@given(st.dictionaries(text, values, max_size=4), st.booleans())
def test_reads_what_json_writes(value: dict[str, Any], escaped: bool) -> None:
    written = json.dumps(value, ensure_ascii=escaped).encode()
    assert parse_object(written, what="report", where="x.json") == value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "report is not JSON"),
        (b"[]", "report is not a JSON object"),
        (b'"text"', "report is not a JSON object"),
        (b"{} {}", "report is not JSON"),
        (b"\xff", "report is not UTF-8 .byte 0."),
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":Infinity}', "Infinity is not JSON"),
        (b'{"a":{"b":1,"b":1}}', "'b' stands there twice"),
        (b'{"\\ud800\\u0041":1}', "a lone surrogate"),
        (b'{"a":"\\udc00"}', "a lone surrogate in or under 'a'"),
        (b'{"a":184467440737095516160}', "an integer of 21 characters"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    ],
)
def test_refuses(content: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        parse_object(content, what="report", where="x.json")
    assert caught.value.where == "x.json"


def test_a_pair_of_surrogates_is_a_letter() -> None:
    assert parse_object(b'{"\\ud83d\\ude00":1}', what="report", where="") == {"\U0001f600": 1}


def test_minus_zero_is_no_integer() -> None:
    found = parse_object(b'{"a":-0,"b":0}', what="report", where="")
    assert [type(value) for value in found.values()] == [float, int]


def test_shown_is_short_and_harmless() -> None:
    assert shown("a'b") == '"a\'b"'
    assert shown("\x1b[2J\n") == r"'\x1b[2J\n'"
    assert len(shown("x" * 10_000)) < 110


def test_is_text() -> None:
    assert is_text("")
    assert is_text("ä\0\U0001f600")
    assert not is_text("\ud800")
