"""Lines of keys in TOML, whatever else looks like a key."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress_core.pyproject.places import places
from compress_core.spec.place import Place

TABLE = "tool.modelopt.check"


def lines(text: str) -> dict[str, int]:
    """Path → line, of text that is TOML."""
    tomllib.loads(text)
    return {path: line for path, (line, _) in places(text, "f").positions.items()}


def line_of(text: str, path: str = f"{TABLE}.gates[0].max") -> int:
    return lines(text)[path]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tool.modelopt.check]\ngates = [{metric = 'size', max = 1}]\n", 2),
        ("[tool.modelopt.check]\r\ngates = [\r\n {metric = 'size', max = 1}]\r\n", 3),
        ("[[tool.modelopt.check.gates]]\nmetric = 'size'\nmax = 1\n", 3),
        ("tool.modelopt.check.gates = [\n  { max = 1 },\n]\n", 2),
        ("[tool]\nmodelopt.check.gates = [ # max = 1\n\n  # {max = 1}\n  {max = 1}]\n", 5),
        ("[tool.'modelopt'.\"check\"]\n\n'gates' = [{'max' = 1}]\n", 3),
        ("[ tool . modelopt . check ] # x\ngates=[{max=1}]", 2),
        ("x = '[tool.modelopt.check]'\n[tool.modelopt.check]\ngates = [{max = 1}]\n", 3),
        (
            'x = """\n[tool.modelopt.check]\n"""\n[tool]\nmodelopt.check.gates = [{max=1}]',
            5,
        ),
        ("x = '''\ngates = [{max = 1}]\n'''\ntool.modelopt.check.gates = [{max = 1}]", 4),
        ('x = """a\\"""\n"""\ntool.modelopt.check.gates = [{max = 1}]', 3),
        ('x = """a"""""\ntool.modelopt.check.gates = [{max = 1}]', 2),
        ('x = """"""\ny = \'\'\'\'\'\'\nz = ""\ntool.modelopt.check.gates = [{max = 1}]', 4),
        ("x = 'C:\\'\ntool.modelopt.check.gates = [{max = 1}]", 2),
        ('x = "# \\" ["\ntool.modelopt.check.gates = [{max = 1}]', 2),
        ("x = [[1, [2]],\n [']', \"}\"]]\ntool.modelopt.check.gates = [{max = 1}]", 3),
        ("x = {a = [1], 'b.c' = {d = ']'}}\ntool.modelopt.check.gates = [{max = 1}]", 2),
        ("x = 1979-05-27 07:32:00Z # c\ntool.modelopt.check.gates = [{max = 1}]", 2),
        ("[tool.modelopt.check]\npaths = [\n 'a',\n 'b', # c\n]\ngates = [{max = 1}]", 6),
        ("# no line break at the end\ntool.modelopt.check.gates = [{max = 1}] # max = 1", 2),
    ],
)
def test_the_line_of_a_limit(text: str, line: int) -> None:
    assert line_of(text) == line


def test_lists_of_tables_are_counted() -> None:
    text = (
        "[[tool.modelopt.check.gates]]\nmax = 1\n[[other]]\n[[other.gates]]\nmax = 5\n"
        "[[tool.modelopt.check.gates]]\nmax = 2\n[tool.modelopt.check.gates.max_growth]\n"
        "percent = 1\n"
    )
    found = lines(text)
    assert (found[f"{TABLE}.gates[0].max"], found[f"{TABLE}.gates[1].max"]) == (2, 7)
    assert found[f"{TABLE}.gates[1].max_growth.percent"] == 9
    assert found["other[0].gates[0].max"] == 5


def test_columns_count_characters() -> None:
    text = "[tool.modelopt.check]\ngates = [{match = 'é→', max = 1}]\n"
    assert places(text, "f").positions[f"{TABLE}.gates[0].max"] == (2, 25)


def test_the_place_of_the_root_knows_them_all() -> None:
    place = places("[a.b]\nc = 1\n", "x.toml").key("a").key("b").key("c")
    assert str(place) == "x.toml:2:1  a.b.c"


NAMES = st.sampled_from(["a", "b-c", "1", "a b", "é", 'q"', "x.y", "#", "[", ""])
SCALARS = st.sampled_from(["1", "'#'", '"]}"', "true", "1e3", "'''x\n= [\n'''", '"""\n\\"""\n"""'])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    """TOML values that go over several lines where they may."""
    kind = draw(st.sampled_from(["scalar", "array", "table"])) if depth else "scalar"
    if kind == "scalar":
        return draw(SCALARS)
    if kind == "array":
        items = draw(st.lists(values(depth - 1), max_size=3))
        inner = ", # ,\n".join(items)
        return f"[ # ]\n{inner}\n]"
    pairs = draw(st.dictionaries(NAMES, values(depth - 1), max_size=3))
    inner = ", ".join(f"{json.dumps(key)} = {value}" for key, value in pairs.items())
    return f"{{ {inner} }}"


def leaves(value: Any, place: Place) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield place.key(key)
            yield from leaves(inner, place.key(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield place.item(index)
            yield from leaves(inner, place.item(index))


@settings(deadline=None)
@given(st.dictionaries(NAMES, values(), max_size=4), st.booleans())
def test_every_key_and_item_has_a_position_and_nothing_else_has(
    pairs: dict[str, str], below: bool
) -> None:
    head = "[t] # [u]\n" if below else ""
    text = head + "".join(f"{json.dumps(key)} = {value} # = [\n" for key, value in pairs.items())
    data = tomllib.loads(text)
    root = places(text, "f")
    assert {place.path for place in leaves(data, root)} == set(root.positions)
    rows = text.split("\n")
    for key, (line, column) in (
        (key, root.positions[(root.key("t") if below else root).key(key).path]) for key in pairs
    ):
        assert rows[line - 1][column - 1 :].startswith(json.dumps(key))
