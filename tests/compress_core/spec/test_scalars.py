"""Plain scalars of YAML 1.2, and the words that YAML 1.1 takes for something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.errors import UsageError
from compress_core.spec.scalars import scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-17", -17),
        ("+5", 5),
        ("0x1F", 31),
        ("0o17", 15),
        (str(2**63 - 1), 2**63 - 1),
        (str(-(2**63)), -(2**63)),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-2.5e+3", -2500.0),
    ],
)
def test_values(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


WORDS = (
    "yes no on off y N 2:4 1:30:00 1_000 2026-01-02 nULL tRUE 0b11 1e e3 . - + 1.2.3 0x 0o8 W4A16"
    " inf nan << 2of4 re:.*"
)


@pytest.mark.parametrize("text", [*WORDS.split(), "4 GiB"])
def test_words_stay_words(text: str) -> None:
    assert scalar(text) == text


@pytest.mark.parametrize("text", ["017", "-00", "+01", "0" * 5000])
def test_a_leading_zero_could_be_octal(text: str) -> None:
    with pytest.raises(UsageError, match="leading zero") as caught:
        scalar(text)
    assert caught.value.hint == f"write {text.lstrip('+-0') or '0'}, or quote it"


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", ".NaN", "1e999", "-1e999"])
def test_numbers_are_finite(text: str) -> None:
    with pytest.raises(UsageError, match="is not a finite number"):
        scalar(text)


@pytest.mark.parametrize(
    "text", [str(2**63), "9" * 5000, "-" + "9" * 30, "0x" + "f" * 5000, "0x8000000000000000"]
)
def test_integers_fit_into_63_bits(text: str) -> None:
    with pytest.raises(UsageError, match="larger than 63 bits can hold"):
        scalar(text)


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False))
def test_what_python_prints_is_read(value: float) -> None:
    assert scalar(repr(value)) == value


@given(st.text())
def test_any_text_is_a_value_or_a_usage_error(text: str) -> None:
    try:
        value = scalar(text)
    except UsageError:
        return
    assert value is None or isinstance(value, (bool, int, float)) or value == text
