"""Numbers as people read them."""

from __future__ import annotations

import pytest

from modelopt_cli.render import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.159, "0.159"),
        (0.1, "0.100"),
        (1.0, "1.00"),
        (0.0, "0"),
        (1.5e-7, "1.50e-07"),
        (float("inf"), "inf"),
        (None, "—"),
    ],
)
def test_magnitudes_have_three_digits(value: float | None, text: str) -> None:
    assert numbers.magnitude(value) == text


def test_an_upper_bound_of_bytes_is_a_lower_bound_of_the_ratio() -> None:
    assert numbers.megabytes(1024**2 * 3, exact=False) == "≤3.00"
    assert numbers.ratio(12, 3, exact=False) == "≥4.00×"


def test_no_ratio_to_nothing() -> None:
    assert numbers.ratio(12, 0) == numbers.ratio(0, 12) == "—"


def test_percent_of_nothing() -> None:
    assert (numbers.percent(1, 2), numbers.percent(None, 2), numbers.percent(0, 0)) == (
        "50.0",
        "—",
        "—",
    )


def test_decibels() -> None:
    assert (numbers.decibels(15.94), numbers.decibels(None)) == ("15.9", "—")


def test_shapes() -> None:
    assert (numbers.shape((2, 3)), numbers.shape(())) == ("2×3", "scalar")


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 9, "0.0"),
        (1, 10_000, "<0.1"),
        (1, 1000, "0.1"),
        (999, 1000, "99.9"),
        (9_999, 10_000, ">99.9"),
        (9, 9, "100.0"),
        (None, 9, "—"),
        (0, 0, "—"),
    ],
)
def test_a_share_is_never_rounded_to_nothing_or_all(
    part: int | None, whole: int, text: str
) -> None:
    assert numbers.share(part, whole) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-128, "-128"), (2**62, "4.61e+18"), (-0.5, "-0.500"), (None, "—"), (3.0, "3.00")],
)
def test_ends_of_a_range(value: float | None, text: str) -> None:
    assert numbers.extreme(value) == text
