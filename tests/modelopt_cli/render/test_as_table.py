"""Tables for terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from modelopt_cli.render.as_table import render
from modelopt_cli.render.base import Column, Look, Row, Sheet


@dataclass(frozen=True)
class Sheets:
    """A result that is nothing but sheets."""

    shown: tuple[Sheet, ...]

    def to_json(self) -> Mapping[str, Any]:
        return {}

    def records(self) -> Sequence[Mapping[str, Any]]:
        return []

    def sheets(self) -> Sequence[Sheet]:
        return self.shown


COLUMNS = (Column("Tensors", "left"), Column("n"), Column("Detail", wide=True))


def table(names: Sequence[str], look: Look, *, lines: tuple[str, ...] = ()) -> list[str]:
    rows = tuple(Row((name, "1", "0.125")) for name in names)
    total = Row(("all", str(len(names)), "0.125"), total=True)
    return render(Sheets((Sheet(COLUMNS, (*rows, total), lines),)), look).splitlines()


def test_golden() -> None:
    assert table(["embed", "layers.*.up"], Look(), lines=("That is all.",)) == [
        " Tensors      n  Detail",
        " ──────────────────────",
        " embed        1   0.125",
        " layers.*.up  1   0.125",
        " all          2   0.125",
        "That is all.",
    ]


def test_sentences_fit_a_terminal_and_are_whole_elsewhere() -> None:
    sentence = "Wrote /a/path/that/is/longer/than/the/line · for modelopt restore"
    assert table([], Look(width=24), lines=(sentence,))[3:] == [
        "Wrote",
        "/a/path/that/is/longer/than/the/line",
        "· for modelopt restore",
    ]
    assert table([], Look(width=24, cut=False), lines=(sentence,))[3:] == [sentence]


def test_a_spare_column_goes_when_even_short_names_make_no_room() -> None:
    columns = (Column("Tensors", "left"), Column("MiB in", spare=True), Column("MiB out"))
    sheet = Sheet(columns, (Row(("a.name.of.some.length", "1.00", "0.50")),))

    def first_line(width: int, cut: bool = True) -> str:
        return render(Sheets((sheet,)), Look(width=width, cut=cut)).splitlines()[0]

    assert "MiB in" in first_line(31)
    assert "MiB in" not in first_line(30)
    assert "MiB out" in first_line(30)
    assert "MiB in" in first_line(30, cut=False)


def test_ascii() -> None:
    shown = table(["größe", "‖W‖"], Look(encoding="ascii"), lines=("≤ 1",))
    assert shown == [
        " Tensors      n  Detail",
        " ----------------------",
        " gr\\xf6\\xdfe  1   0.125",
        " ||W||        1   0.125",
        " all          2   0.125",
        "<= 1",
    ]


def test_wide_columns_give_way_before_names_do() -> None:
    name = "a" * 30
    assert table([name], Look(width=36))[0] == " Tensors                         n"
    assert name in table([name], Look(width=36))[2]


def test_long_names_lose_their_middle() -> None:
    shown = table(["model.layers.0.self_attn.q_proj", "b"], Look(width=24))
    assert shown[2] == " model.lay…tn.q_proj  1"
    assert all(cell_len(line) <= 24 for line in shown)


def test_names_stay_whole_where_a_program_may_read_them() -> None:
    name = "model.layers.0.self_attn.q_proj"
    assert name in table([name], Look(width=24, cut=False))[2]


def test_numbers_are_never_cut() -> None:
    shown = table(["model.layers.0.self_attn.q_proj"], Look(width=5))
    assert shown[2] == " model…q_proj  1"


PROSE = (
    Column("Name", "left"),
    Column("Default", "left", wraps=True),
    Column("Text", "left", wraps=True),
)


def prose(default: str, text: str, width: int) -> list[str]:
    sheet = Sheet(PROSE, (Row(("a", default, text)), Row(("b", "", ""))))
    return render(Sheets((sheet,)), Look(width=width)).splitlines()


def test_prose_goes_on_in_the_next_line() -> None:
    assert prose("none", "one two three four five-six", 36) == [
        " Name  Default  Text",
        " ─────────────────────────────────",
        " a     none     one two three four",
        "                five-six",
        " b",
    ]


def test_prose_stays_on_a_line_that_has_room() -> None:
    assert (
        prose("none", "one two three four five", 40)[2] == " a     none     one two three four five"
    )


def test_the_widest_prose_gives_way_first() -> None:
    shown = prose("zero if not given", "one two three four five six seven eight", 40)
    assert shown[2:4] == [" a     zero if not  one two three", "       given        four five six"]
    assert max(map(cell_len, shown)) <= 40


def test_wide_letters_keep_columns_straight() -> None:
    shown = table(["重み", "ab"], Look())
    assert [cell_len(line) for line in shown[2:4]] == [22 - 3, 22 - 3]


def test_no_escape_from_a_name() -> None:
    assert "\x1b" not in "\n".join(table(["\x1b[2J", "[red]x[/]"], Look()))


def test_colour_is_for_titles_and_totals() -> None:
    shown = table(["a"], Look(colour=True))
    assert [line.startswith("\x1b[") for line in shown] == [True, True, False, True]


def test_titles_tell_sheets_apart() -> None:
    sheets = Sheets((Sheet(COLUMNS, (), title="a\x07"), Sheet(COLUMNS, (), title="b")))
    assert render(sheets, Look()).splitlines() == [
        "a\\x07",
        " Tensors  n  Detail",
        " ──────────────────",
        "",
        "b",
        " Tensors  n  Detail",
        " ──────────────────",
    ]


@given(
    st.lists(st.text(alphabet=st.characters()), max_size=4),
    st.integers(1, 120),
    st.booleans(),
    st.sampled_from(["utf-8", "ascii"]),
)
def test_any_name_on_any_paper(names: list[str], width: int, cut: bool, encoding: str) -> None:
    shown = table(names, Look(width=width, cut=cut, encoding=encoding))
    assert len(shown) == len(names) + 3
    "\n".join(shown).encode(encoding)


@pytest.mark.timeout(20)
def test_many_lines_are_quick() -> None:
    assert len(table([f"layers.{number}.x" for number in range(20000)], Look())) == 20003
