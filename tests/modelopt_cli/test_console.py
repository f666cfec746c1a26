"""The two streams."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from compress_core.errors import (
    FormatError,
    InputError,
    ModelOptError,
    OutputError,
    SpecError,
    UnsupportedError,
)
from compress_core.settings import Progress
from modelopt_cli.console import Output
from modelopt_cli.progress import Bar, Lines, Silent
from modelopt_cli.stdout import ReaderGoneError


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def output(terminal: bool = False, **environment: str) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = (Terminal(), Terminal()) if terminal else (io.StringIO(), io.StringIO())
    return Output(out, err, environment), out, err


def test_result_goes_to_stdout_alone() -> None:
    console, out, err = output()
    console.result("42\n")
    assert (out.getvalue(), err.getvalue()) == ("42\n", "")


def test_an_error_says_what_where_and_what_to_do() -> None:
    console, _, err = output()
    console.error(InputError("not a safetensors file", where="a/b.safetensors", hint="try another"))
    assert err.getvalue() == (
        "error: not a safetensors file\n  a/b.safetensors\nhint: try another\n"
    )


def test_what_the_message_begins_with_is_not_said_twice() -> None:
    console, _, err = output()
    console.error(InputError("--bits: 9 is not accepted", where="--bits"))
    assert err.getvalue() == "error: --bits: 9 is not accepted\n"


def test_an_error_cannot_drive_the_terminal() -> None:
    console, _, err = output()
    console.error(InputError("bad tensor \x1b[2J\nx", where="\x07", hint="[red]"))
    assert err.getvalue() == "error: bad tensor \\x1b[2J\\nx\n  \\x07\nhint: [red]\n"


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (FormatError("cut short", where="a b"), "get it again, and compare: sha256sum 'a b'"),
        (UnsupportedError("an odd thing", where="x"), "see what is read: modelopt list formats"),
        (InputError("no such file", where="x"), "look at it: ls -l x"),
        (OutputError("disk full", where="x"), "write it somewhere else: --output PATH"),
        (SpecError("not YAML", where="x:1"), "see what may stand there: modelopt spec schema"),
    ],
)
def test_there_is_always_something_that_can_be_done(error: ModelOptError, hint: str) -> None:
    console, _, err = output()
    console.error(error)
    assert err.getvalue().splitlines()[-1] == f"hint: {hint}"


def test_quiet_leaves_errors_only() -> None:
    console, _, err = output()
    console.quiet = True
    console.note("skipped")
    console.error(InputError("broken"))
    assert err.getvalue() == "error: broken\n"


def test_a_note_fits_a_terminal_and_is_one_line_elsewhere() -> None:
    text = f"kept {'/a/path/that/is/longer/than/the/line' * 2} and twenty others"
    console, _, err = output(terminal=True, COLUMNS="30", NO_COLOR="1")
    console.note(text)
    assert err.getvalue().splitlines() == [
        "note: kept",
        f"  {text.split()[1]}",
        "  and twenty others",
    ]
    console, _, err = output(COLUMNS="30")
    console.note(text)
    assert err.getvalue() == f"note: {text}\n"


def test_details_are_for_those_who_ask() -> None:
    console, _, err = output()
    console.detail("one")
    console.verbose = True
    console.detail("two")
    assert err.getvalue() == "note: two\n"


@pytest.mark.parametrize(
    ("terminal", "environment", "choice", "coloured"),
    [
        (True, {}, "auto", True),
        (False, {}, "auto", False),
        (True, {"NO_COLOR": "1"}, "auto", False),
        (True, {"NO_COLOR": ""}, "auto", True),
        (True, {"TERM": "dumb"}, "auto", False),
        (False, {"FORCE_COLOR": "1"}, "auto", True),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, "auto", False),
        (True, {"NO_COLOR": "1"}, "always", True),
        (True, {}, "never", False),
    ],
)
def test_colour(terminal: bool, environment: dict[str, str], choice: str, coloured: bool) -> None:
    console, _, err = output(terminal, **environment)
    console.colour = choice  # type: ignore[assignment]
    console.note("x")
    assert ("\x1b[" in err.getvalue()) == coloured
    assert console.look().colour == coloured


@pytest.mark.parametrize(
    ("terminal", "environment", "width", "cut"),
    [
        (False, {}, 80, False),
        (False, {"COLUMNS": "20"}, 20, True),
        (True, {"COLUMNS": "132"}, 132, True),
        (False, {"COLUMNS": "wide"}, 80, True),
        (False, {"COLUMNS": "0"}, 80, True),
    ],
)
def test_width(terminal: bool, environment: dict[str, str], width: int, cut: bool) -> None:
    look = output(terminal, **environment)[0].look()
    assert (look.width, look.cut) == (width, cut)


def test_an_ascii_stream_gets_ascii() -> None:
    out = io.TextIOWrapper(io.BytesIO(), "ascii")
    console = Output(out, out, {})
    console.result("≤ 3×\n")
    console.note("größe")
    out.seek(0)
    assert out.read() == "<= 3x\nnote: gr\\xf6\\xdfe\n"


def test_a_full_stdout_is_an_output_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w") as full:
        with pytest.raises(OutputError, match="No space left"):
            Output(full, io.StringIO(), {}).result("x")
        full.write("what is still buffered is let go")


def test_a_closed_pipe_is_told_apart() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe, pytest.raises(ReaderGoneError):
        Output(pipe, io.StringIO(), {}).result("x")


def test_a_closed_stderr_is_no_reason_to_fail() -> None:
    err = io.StringIO()
    err.close()
    Output(io.StringIO(), err, {}).error(InputError("nobody hears this"))


def test_streams_that_were_never_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    console = Output(environment={})
    console.error(InputError("nobody hears this"))
    with console.metered() as meter:
        assert isinstance(meter, Silent)
    with pytest.raises(ReaderGoneError):
        console.result("x")


@pytest.mark.parametrize(
    ("terminal", "environment", "style", "expected"),
    [
        (True, {}, "auto", Bar),
        (True, {"CI": "true"}, "auto", Lines),
        (True, {"TERM": "dumb"}, "auto", Lines),
        (False, {}, "auto", Lines),
        (False, {}, "bar", Bar),
        (True, {}, "lines", Lines),
        (True, {}, "off", Silent),
    ],
)
def test_progress(
    terminal: bool, environment: dict[str, str], style: str, expected: type[object]
) -> None:
    console, _, _ = output(terminal, **environment)
    console.progress = style  # type: ignore[assignment]
    with console.metered() as meter:
        assert isinstance(meter, expected)


def test_progress_is_talk() -> None:
    console, _, err = output(terminal=True)
    console.quiet = True
    with console.metered() as meter:
        meter(Progress("write", 1, 2))
    assert err.getvalue() == ""
