"""Where words go: the result to stdout, all talk to stderr."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TextIO

from compress_core.errors import (
    FormatError,
    InputError,
    ModelOptError,
    OutputError,
    SpecError,
    UnsupportedError,
    UsageError,
)
from modelopt_cli.annotation import error_annotation
from modelopt_cli.printable import printable
from modelopt_cli.progress import Meter, ProgressStyle, Silent, meter
from modelopt_cli.render.base import Look
from modelopt_cli.stdout import ReaderGoneError, encoding_of, write_result
from modelopt_cli.summary import MOST_SUMMARY, append_within

ColourChoice = Literal["auto", "always", "never"]


class Output:
    """The two streams of one run of a command.

    :ivar quiet: errors only on stderr.
    :ivar verbose: more on stderr; for a bug, its traceback.
    :ivar annotating: stdout is read by GitHub Actions.
    :ivar reports: files that a verdict is to be written to.
    """

    def __init__(
        self,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        # a stream that was closed before Python started is None
        self._stdout: TextIO | None = stdout or sys.stdout
        self._stderr: TextIO | None = stderr or sys.stderr
        self._environment = os.environ if environment is None else environment
        self.quiet = False
        self.verbose = False
        self.annotating = False
        self.reports: tuple[Path, ...] = ()
        self.colour: ColourChoice = "auto"
        self.progress: ProgressStyle = "auto"

    def result(self, text: str) -> None:
        """Write to stdout, and be sure that it arrived.

        :raises ReaderGoneError: the other end of the pipe is closed.
        :raises OutputError: stdout takes no more.
        """
        write_result(self._stdout, text)

    def summary(self, markdown: str) -> None:
        """Add to the page that GitHub Actions shows of this step; elsewhere there is none."""
        path = self._environment.get("GITHUB_STEP_SUMMARY")
        if not path:
            return
        try:
            append_within(Path(path), markdown, MOST_SUMMARY)
        except OSError as error:  # the verdict is worth more than its page
            self.note(f"the step summary cannot be written: {error.strerror}: {path}")

    @property
    def workspace(self) -> str | None:
        """The folder that GitHub Actions names files from; elsewhere there is none."""
        return self._environment.get("GITHUB_WORKSPACE") or None

    def note(self, text: str, *, kind: str = "note") -> None:
        """Something that should be known, on one line of stderr; on a terminal as it fits."""
        if self.quiet:
            return
        word = f"{kind}:"
        first, *more = self._fitted(f"{word} {self._plain(text)}")
        self._say(f"{self._styled(word, fg='yellow')}{first.removeprefix(word)}")
        for line in more:
            self._say(line)

    def detail(self, text: str) -> None:
        """A note for those who asked for more."""
        if self.verbose:
            self.note(text)

    def error(self, error: ModelOptError) -> None:
        """An error in at most three lines: what, where, and what to do."""
        self._say(f"{self._styled('error:', fg='red', bold=True)} {self._plain(error.message)}")
        # an option's message begins with its name
        where = None if error.message.startswith(f"{error.where}:") else error.where
        if where is not None:
            self._say(f"  {self._plain(where)}")
        hint = error.hint or _advice(error, where)
        if hint is not None:
            self.hint(hint)

    def annotate(self, error: ModelOptError) -> None:
        """The error on stdout too, where GitHub makes an annotation of it; elsewhere nothing."""
        if not self.annotating:
            return
        with suppress(ReaderGoneError, OutputError):  # stderr has it already
            self.result(error_annotation(str(error), encoding_of(self._stdout)))

    def hint(self, text: str) -> None:
        """What to type instead."""
        self._say(f"{self._styled('hint:', fg='cyan')} {self._plain(text)}")

    def traceback(self, text: str) -> None:
        """The traceback of a bug."""
        for line in text.splitlines():
            self._say(self._plain(line))

    @contextmanager
    def metered(self) -> Iterator[Meter]:
        """Something that shows how far a run has come; erased at the end."""
        shown: Meter = Silent()
        if self._stderr is not None and not self.quiet:
            bars = _is_terminal(self._stderr) and not self._is("CI") and not self._dumb
            colour = self._coloured(self._stderr)
            shown = meter(self.progress, self._stderr, bars=bars, colour=colour)
        try:
            yield shown
        finally:
            shown.close()

    def look(self) -> Look:
        """How stdout wants to be written to."""
        terminal = _is_terminal(self._stdout)
        return Look(
            width=self._width,
            cut=terminal or self._is("COLUMNS"),
            colour=self._coloured(self._stdout),
            encoding=encoding_of(self._stdout),
        )

    @property
    def _width(self) -> int:
        asked = self._environment.get("COLUMNS", "")
        if asked.isdecimal() and int(asked[:6]):
            return int(asked[:6])
        if not _is_terminal(self._stdout):
            return 80
        import shutil  # with every archive format that it knows

        return shutil.get_terminal_size().columns

    @property
    def _dumb(self) -> bool:
        return self._environment.get("TERM") == "dumb"

    def _is(self, variable: str) -> bool:
        return bool(self._environment.get(variable))

    def _coloured(self, stream: TextIO | None) -> bool:
        if self.colour != "auto":
            return self.colour == "always"
        if self._is("NO_COLOR"):
            return False
        return self._is("FORCE_COLOR") or (_is_terminal(stream) and not self._dumb)

    def _styled(self, text: str, *, fg: str, bold: bool = False) -> str:
        if not self._coloured(self._stderr):
            return text
        import click  # `--version` has no use for it

        return click.style(text, fg=fg, bold=bold)

    def _fitted(self, text: str) -> list[str]:
        if not _is_terminal(self._stderr):
            return [text]
        import textwrap  # most runs have little to say

        return textwrap.wrap(
            text,
            self._width,
            subsequent_indent="  ",
            break_long_words=False,  # paths stay whole, and can be copied
            break_on_hyphens=False,
        )

    def _plain(self, text: str) -> str:
        return printable(text, encoding_of(self._stderr))

    def _say(self, line: str) -> None:
        if self._stderr is None:
            return
        with suppress(OSError, ValueError):  # full or closed: there is nobody left to tell
            self._stderr.write(f"{line}\n")
            self._stderr.flush()


def _advice(error: ModelOptError, where: str | None) -> str | None:
    """What can be typed where the core knows nothing better."""
    if isinstance(error, SpecError):
        return "see what may stand there: modelopt spec schema"
    if isinstance(error, UsageError):
        return "see modelopt --help"
    if where is None:
        return None
    file = shlex.quote(where)
    known: dict[type[ModelOptError], str] = {
        FormatError: f"get it again, and compare: sha256sum {file}",
        UnsupportedError: "see what is read: modelopt list formats",
        InputError: f"look at it: ls -l {file}",
        OutputError: "write it somewhere else: --output PATH",
    }
    return next((advice for kind, advice in known.items() if isinstance(error, kind)), None)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
