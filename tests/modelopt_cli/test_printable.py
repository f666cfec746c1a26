"""Text that cannot drive a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelopt_cli.printable import encodable, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("layers.0.weight", "layers.0.weight"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\x9b31m", r"\x9b31m"),
        ("\ud800", r"\ud800"),
        ("[bold red]x[/]", "[bold red]x[/]"),
        ("größe.重み", "größe.重み"),
        ("a\u2028b", r"a\u2028b"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_signs_have_ascii_twins() -> None:
    assert printable("F32 → F16", "ascii") == "F32 -> F16"
    assert printable("▁▂▃▄▅▆▇█", "ascii") == "_.:-=+*#"
    assert printable("‖W−Ŵ‖ ≤ 3.88×", "ascii") == "||W-W'|| <= 3.88x"


def test_other_letters_are_escaped_for_ascii() -> None:
    assert printable("größe", "ascii") == r"gr\xf6\xdfe"


def test_what_an_encoding_has_stays() -> None:
    assert printable("größe ×", "latin-1") == "größe ×"


@given(st.text(alphabet=st.characters()), st.sampled_from(["ascii", "latin-1", "utf-8"]))
def test_any_text_is_printable_and_encodable(text: str, encoding: str) -> None:
    shown = printable(text, encoding)
    assert shown.isprintable()
    shown.encode(encoding)


def test_encodable_keeps_lines() -> None:
    assert encodable("a\n≥ b\n", "ascii") == "a\n>= b\n"
