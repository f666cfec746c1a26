"""How far a run has come."""

from __future__ import annotations

import io

import pytest

from compress_core.settings import Progress
from modelopt_cli.progress import Bar, Lines, labelled

MIB = 1024**2


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_short_work_says_nothing(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Lines(stream, clock)
    for done in range(11):
        clock.now += 0.1
        meter(Progress("write", done, 10))
    meter.close()
    assert stream.getvalue() == ""


def test_long_work_says_a_line_a_tenth(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Lines(stream, clock)
    for done in range(1001):
        clock.now += 0.2
        meter(Progress("write", done * MIB, 1000 * MIB))
    lines = stream.getvalue().splitlines()
    assert lines[0] == "write: 0 % of 1000.00 MiB"
    assert lines[-1] == "write: 100 % of 1000.00 MiB"
    assert len(lines) == 11


def test_one_of_several_runs_is_named(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Lines(stream, clock)
    clock.now += 5
    labelled("NF4", meter)(Progress("measure", 5 * MIB, 10 * MIB))
    assert stream.getvalue() == "NF4: measure: 50 % of 10.00 MiB\n"


def test_lines_are_seconds_apart(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Lines(stream, clock)
    for done in range(11):
        clock.now += 1
        meter(Progress("write", done, 10))
    assert len(stream.getvalue().splitlines()) == 2


def test_nothing_to_do_is_all_done(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Lines(stream, clock)
    clock.now += 10
    meter(Progress("write", 0, 0))
    assert stream.getvalue() == "write: 100 % of 0 B\n"


def test_a_log_that_is_full_does_not_stop_the_work(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Lines(stream, clock)
    stream.close()
    clock.now += 10
    meter(Progress("write", 1, 2))


def test_a_bar_comes_after_a_second_and_goes(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Bar(stream, clock)
    meter(Progress("[survey]", 0, 4 * MIB))
    assert stream.getvalue() == ""
    clock.now += 2
    meter(Progress("[survey]", MIB, 4 * MIB))
    assert "[survey]" in stream.getvalue()
    meter.close()
    assert stream.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize("colour", [True, False])
def test_a_bar_is_as_colourful_as_the_rest(
    clock: Clock, colour: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COLORTERM", "truecolor")
    stream = io.StringIO()
    meter = Bar(stream, clock, colour=colour)
    clock.now += 2
    meter(Progress("write", 1, 4))
    meter.close()
    assert ("\x1b[38;" in stream.getvalue()) == colour


def test_a_bar_is_not_drawn_too_often(clock: Clock) -> None:
    stream = io.StringIO()
    meter = Bar(stream, clock)
    clock.now += 2
    meter(Progress("write", 1, 4))
    drawn = stream.tell()
    meter(Progress("write", 2, 4))
    assert stream.tell() == drawn
    meter.close()
