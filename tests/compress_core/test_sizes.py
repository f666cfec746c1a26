"""Bytes as people write and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress_core.errors import UsageError
from compress_core.sizes import UNITS, human, mib, parse_size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("4096", 4096),
        ("17 B", 17),
        ("25MB", 25_000_000),
        ("64 KiB", 65_536),
        ("64kB", 64_000),
        ("4 GiB", 4 * 2**30),
        (" 4GiB ", 4 * 2**30),
        ("1.5 TiB", 3 * 2**39),
        ("4.35 GiB", 4_670_776_934),  # 4.35 · 2**30 cut to whole bytes, not as a float rounds
        ("0.1 kB", 100),
    ],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("10M", "'10 MB' is powers of 1000, '10 MiB' powers of 1024"),
        ("10k", "'10 kB' is powers of 1000, '10 KiB' powers of 1024"),
        ("10 gib", "write '10 GiB'"),
        ("10 mb", "write '10 MB'"),
        ("10 KB", "write '10 kB'"),
        ("10 parsecs", "known units: B kB MB GB TB KiB MiB GiB TiB"),
        ("1.5", "add a unit: '1.5 MiB'"),
        ("", "write a number and a unit, such as '4 GiB'"),
        ("-1 B", "write a number and a unit, such as '4 GiB'"),
        ("1e3 B", "write a number and a unit, such as '4 GiB'"),
        ("٤ GiB", "write a number and a unit, such as '4 GiB'"),
        ("9" * 5000, "write a number and a unit, such as '4 GiB'"),
        (f"1.{'0' * 5000} GiB", "write a number and a unit, such as '4 GiB'"),
    ],
)
def test_what_is_no_size_is_refused_with_a_fix(text: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_size(text)
    assert caught.value.hint == hint


@given(st.integers(0, 10**18 - 1), st.sampled_from(sorted(UNITS)))
def test_a_whole_number_of_a_unit_is_exact(number: int, unit: str) -> None:
    assert parse_size(f"{number} {unit}") == number * UNITS[unit]


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_a_usage_error(text: str) -> None:
    try:
        count = parse_size(text)
    except UsageError:
        return
    assert count >= 0


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (4_980_736, "4.75 MiB"),
        (2**20 - 1, "1.00 MiB"),
        (2**50, "1024.00 TiB"),
    ],
)
def test_people_read_the_unit_that_fits(count: int, text: str) -> None:
    assert human(count) == text


def test_more_decimals_tell_sizes_apart() -> None:
    assert human(4_980_737, 6) == "4.750001 MiB"
    assert human(2**20 - 1, 3) == "1023.999 KiB"
    assert human(1, 3) == "1 B"


def test_tables_are_in_mebibytes() -> None:
    assert mib(4_980_736) == "4.75"
    assert mib(1) == "0.00"
