"""How much a file may grow."""

from __future__ import annotations

import math

import pytest

from compress_core.errors import UsageError
from compress_core.gates import Growth


@pytest.mark.parametrize(
    ("text", "growth"),
    [
        ("1%", Growth(percent=1)),
        (" 0.25 % ", Growth(percent=0.25)),
        ("64KiB", Growth(nbytes=65536)),
        ("4096", Growth(nbytes=4096)),
        ("1%,64KiB", Growth(1, 65536)),
        ("64 kB, 1 %", Growth(1, 64000)),
    ],
)
def test_what_people_write(text: str, growth: Growth) -> None:
    assert Growth.parse(text) == growth


@pytest.mark.parametrize("text", ["", "%", "-1%", "1%,2%", "1KiB,2KiB", "1%,", "1e3%", "10M"])
def test_what_they_may_not_write(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Growth.parse(text)
    assert caught.value.hint


@pytest.mark.parametrize("percent", [-1.0, math.inf, math.nan])
def test_a_percentage_is_a_number_of_its_kind(percent: float) -> None:
    with pytest.raises(UsageError, match="percent"):
        Growth(percent=percent)


@pytest.mark.parametrize("nbytes", [-1, 10**18])
def test_bytes_can_be_written_down(nbytes: int) -> None:
    with pytest.raises(UsageError, match="bytes"):
        Growth(nbytes=nbytes)


def test_a_growth_says_something() -> None:
    with pytest.raises(UsageError, match="says nothing"):
        Growth()


@pytest.mark.parametrize(
    ("growth", "before", "allowed"),
    [
        (Growth(percent=1), 1000, 10),
        (Growth(percent=1), 1099, 10),
        (Growth(percent=1), 0, 0),
        (Growth(nbytes=64), 1000, 64),
        (Growth(1, 64), 1000, 64),
        (Growth(1, 64), 10_000, 100),
        # 0.1 % of 3,000 in binary floats is less than 3
        (Growth(percent=0.1), 3000, 3),
        (Growth(percent=1), 10**18 + 100, 10**16 + 1),
    ],
)
def test_only_what_is_above_both_is_too_much(growth: Growth, before: int, allowed: int) -> None:
    assert growth.allowed(before) == allowed


@pytest.mark.parametrize(
    ("growth", "config"),
    [
        (Growth(percent=1.0), "1%"),
        (Growth(percent=1e-9), {"percent": 1e-9}),
        (Growth(percent=1.23456789), {"percent": 1.23456789}),
        (Growth(nbytes=65536), "64 KiB"),
        (Growth(1.0, 65536), {"percent": 1.0, "bytes": "64 KiB"}),
    ],
)
def test_how_a_spec_writes_it(growth: Growth, config: object) -> None:
    assert growth.config() == config
