"""YAML becomes plain data and positions, and what the grammar has no use for is refused."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compress_core.errors import SpecError
from compress_core.spec.document import MAX_DEPTH, MAX_VALUES, parse

TEXT = """\
# a comment
version: 1
select: {ignore: [lm_head, "re:.*norm"]}
passes:
  - pass: prune
    match:
      - 'it''s'
      - "tab\\t"
  - {pass: quantize, on: off}
  - long: |
      two
      lines
"""


def test_data_are_plain() -> None:
    assert parse(TEXT, "a.yaml")[0] == {
        "version": 1,
        "select": {"ignore": ["lm_head", "re:.*norm"]},
        "passes": [
            {"pass": "prune", "match": ["it's", "tab\t"]},
            {"pass": "quantize", "on": "off"},
            {"long": "two\nlines\n"},
        ],
    }


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("", (2, 1)),
        ("version", (2, 1)),
        ("select", (3, 1)),
        ("select.ignore", (3, 10)),
        ("select.ignore[1]", (3, 28)),
        ("passes", (4, 1)),
        ("passes[0]", (5, 5)),
        ("passes[0].match[1]", (8, 9)),
        ("passes[1].on", (9, 22)),
    ],
)
def test_every_part_has_a_position(path: str, position: tuple[int, int]) -> None:
    _, place = parse(TEXT, "a.yaml")
    assert place.positions[path] == position


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_end_of_line_counts(end: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(end.join(["a: 1", "b:", "  - .nan"]), "f")
    assert caught.value.where == "f:3:5  b[0]"


# text, part of the message, where, part of the hint
REFUSED = [
    ("", "is empty", "f:1:1", "version: 1"),
    ("# nothing\n", "is empty", "f:1:1", "version: 1"),
    ("a: *b", "takes no aliases", "f:1:4  a", "quote patterns that begin with *"),
    ("a: [x, *b]", "takes no aliases", "f:1:8  a[1]", "quote patterns that begin with *"),
    ("*b : 1", "takes no aliases", "f:1:1", "quote patterns that begin with *"),
    ("a: *.mlp.*", "not YAML", "f:1:4", "quote patterns that begin with *"),
    ("a:\n  - *mlp*\n", "not YAML", "f:2:5", "quote patterns that begin with *"),
    ("a: [*, b]", "not YAML", "f:1:5", "quote patterns that begin with *"),
    ("a: &b c", "takes no anchors", "f:1:4  a", "begins with &"),
    ("&b a: c", "takes no anchors", "f:1:1", "begins with &"),
    ("a: {<<: {b: 1}}", "takes no merge keys", "f:1:5  a", "write the keys out"),
    ("a: !b c", "takes no tags", "f:1:4  a", "begins with !"),
    ("a: !!str c", "takes no tags", "f:1:4  a", "begins with !"),
    ("a: !!python/name:os.system", "takes no tags", "f:1:4  a", "begins with !"),
    ("a: ! c", "takes no tags", "f:1:4  a", "begins with !"),
    ("!!map {a: c}", "takes no tags", "f:1:1", "begins with !"),
    ("%YAML 1.1\n---\na: 1", "takes no directives", "f:1:1", None),
    ("%TAG ! tag:x,2000:\n---\na: 1", "takes no directives", "f:1:1", None),
    ("a: 1\nb: 2\na: 3", "key 'a' stands twice", "f:3:1  a", "line 1"),
    ("a: {b: 1, 'b': 2}", "key 'b' stands twice", "f:1:11  a.b", "line 1"),
    ("1: 2", "key 1 is not text", "f:1:1", "quote it"),
    ("a: {true: 2}", "key True is not text", "f:1:5  a", "quote it"),
    ("~: 2", "key None is not text", "f:1:1", "quote it"),
    ("? \n: 2", "key None is not text", "f:1:2", "quote it"),
    ("? [a]\n: b", "a key is a list or a mapping", "f:1:3", "keys are words"),
    ("{{a: 1}: 2}", "a key is a list or a mapping", "f:1:2", "keys are words"),
    ("a: 1\n---\nb: 2", "a second document", "f:2:1", "one spec a file"),
    ("a: 1\n...\n---\n...", "a second document", "f:3:1", "one spec a file"),
    ("a: 1\n...\nb: 2", "not YAML", "f:3:1", None),
    ("a: .inf", "not a finite number", "f:1:4  a", None),
    ("a: [1, 017]", "leading zero", "f:1:8  a[1]", "write 17"),
    ("a: [1\nb: 2", "not YAML", "f:2:2", None),
    ("a: 1\n b: 2", "not YAML", "f:2:3", None),
    ("a: @b", "not YAML", "f:1:4", None),
    ("a: %b", "not YAML", "f:1:4", None),
    ("a: 'b", "not YAML", "f:1:6", None),
    ('a: "\\q"', "not YAML", "f:1:6", None),
    ('a: "\\Uffffffff"', "no such character", "f:1:2", None),
    ('a: "\\U00110000"', "no such character", "f:1:2", None),
    ("%YAML 1.1" + "1" * 5000 + "\n---\na: 1", "no such character", "f:1:1", None),
]


@pytest.mark.parametrize(("text", "message", "where", "hint"), REFUSED)
def test_what_the_grammar_has_no_use_for_is_refused(
    text: str, message: str, where: str, hint: str | None
) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, "f")
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.where == where
    assert (hint or "") in (caught.value.hint or "")


def test_the_depth_is_bounded() -> None:
    deepest = "a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH
    with pytest.raises(SpecError, match="more than 50 levels"):
        parse(deepest, "f")
    parse(deepest.replace("[", "", 1).replace("]", "", 1), "f")


def hostile(size: int) -> dict[str, str]:
    """Texts of ``size`` characters that make readers slow or hungry."""
    return {
        "open": "a: " + "[" * size,
        "dashes": "- " * (size // 2),
        "braces": "[" + "{}," * (size // 3) + "]",
        "commas": "a: [" + "x," * (size // 2) + "]",
        "questions": "? " * (size // 2),
        "colons": "a" + ": " * (size // 2),
        "long plain": "a: " + "x " * (size // 2),
        "long quoted": 'a: "' + "x" * size + '"',
        "escapes": 'a: "' + "\\n" * (size // 2) + '"',
        "quotes": "a: '" + "''" * (size // 2) + "'",
        "lines": "\n" * size,
        "spaces": "a: " + " " * size + "x",
        "comment": "#" * size,
        "keys": "\n".join(f"k{index}: 1" for index in range(size // 10)),
        "indented": "a:\n" + "".join(" " * depth + "- a:\n" for depth in range(0, 1000, 2)),
    }


@pytest.mark.parametrize("name", hostile(0))
def test_a_megabyte_of_anything_is_quick(name: str) -> None:
    started = time.process_time()
    with suppress(SpecError):
        parse(hostile(1_000_000)[name], "f")
    assert time.process_time() - started < 20


def test_the_number_of_values_is_bounded() -> None:
    with pytest.raises(SpecError, match="more than 50,000 values"):
        parse("a: [" + "x," * MAX_VALUES + "]", "f")


TOKENS = "a b : [ ] { } , ' \" | > # ? *a ! % @ --- ... \\ x41 1 0 .5 << ~"
PIECES = st.sampled_from([*TOKENS.split(), ": ", "- ", "\n", "  ", "&a ", "!!str "])


@given(st.lists(PIECES, max_size=30).map("".join))
def test_any_text_is_plain_data_or_a_spec_error(text: str) -> None:
    try:
        data, place = parse(text, "f")
    except SpecError:
        return
    assert place.positions[""]
    assert _plain(data)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_what_is_accepted_means_what_pyyaml_reads_but_for_scalars(text: str) -> None:
    try:
        data, _ = parse(text, "f")
    except SpecError:
        return
    assert _shape(data) == _shape(yaml.load(text, Loader=yaml.BaseLoader))


def _plain(data: object) -> bool:
    if isinstance(data, dict):
        return all(isinstance(key, str) and _plain(value) for key, value in data.items())
    if isinstance(data, list):
        return all(map(_plain, data))
    return data is None or isinstance(data, (bool, int, float, str))


def _shape(data: object) -> object:
    if isinstance(data, dict):
        return {key: _shape(value) for key, value in data.items()}
    return [_shape(item) for item in data] if isinstance(data, list) else "scalar"
