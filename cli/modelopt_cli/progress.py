"""How far a run has come: a bar on a terminal, otherwise a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Protocol, TextIO

from compress_core.sizes import human

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from compress_core import Progress

ProgressStyle = Literal["auto", "bar", "lines", "off"]
Clock = Callable[[], float]

_FIRST_FRAME, _FRAME = 1.0, 0.1
_FIRST_LINE, _LINE = 3.0, 5.0


class Meter(Protocol):
    """Takes the news of a run. ``close`` leaves nothing behind that would disturb what follows."""

    def __call__(self, news: Progress) -> None: ...

    def close(self) -> None: ...


class Silent:
    """Shows nothing."""

    def __call__(self, news: Progress) -> None:
        pass

    def close(self) -> None:
        pass


class Lines:
    """At most one line a tenth, for logs: none in the first three seconds, then one in five."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._next = clock() + _FIRST_LINE
        self._said: tuple[str, int] | None = None

    def __call__(self, news: Progress) -> None:
        tenth = 10 * news.done // news.total if news.total else 10
        now = self._clock()
        if now < self._next or self._said == (news.stage, tenth):
            return
        self._said, self._next = (news.stage, tenth), now + _LINE
        _write(self._stream, f"{news.stage}: {tenth * 10} % of {human(news.total)}\n")

    def close(self) -> None:
        pass


class Bar:
    """A bar for work over a second, redrawn ten times a second at most and erased at the end."""

    def __init__(
        self, stream: TextIO, clock: Clock = time.monotonic, *, colour: bool = False
    ) -> None:
        self._stream = stream
        self._colour = colour
        self._clock = clock
        self._next = clock() + _FIRST_FRAME
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __call__(self, news: Progress) -> None:
        now = self._clock()
        if now < self._next:
            return
        self._next = now + _FRAME
        bar, task = self._started()
        bar.update(task, description=news.stage, completed=news.done, total=news.total)
        bar.refresh()

    def _started(self) -> tuple[RichProgress, TaskID]:
        if self._bar is None or self._task is None:
            self._bar = _bar_on(self._stream, self._colour)
            self._task = self._bar.add_task("")
            self._bar.start()
        return self._bar, self._task

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _bar_on(stream: TextIO, colour: bool) -> RichProgress:
    # most runs are over before a bar is due: they shall not pay for the import
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TimeRemainingColumn(),
        console=Console(file=stream, force_terminal=True, no_color=not colour),
        transient=True,
        auto_refresh=False,  # its thread would outlive an interrupt
        redirect_stdout=False,
        redirect_stderr=False,
    )


def meter(style: ProgressStyle, stream: TextIO, *, bars: bool, colour: bool) -> Meter:
    """The meter of one style.

    :param bars: what ``auto`` means: whether ``stream`` is a terminal that people watch.
    """
    if style == "off":
        return Silent()
    if style == "bar" or (style == "auto" and bars):
        return Bar(stream, colour=colour)
    return Lines(stream)


def labelled(label: str, meter: Meter) -> Callable[[Progress], None]:
    """``meter`` for one of several runs, which its stages are told to be of."""

    def tell(news: Progress) -> None:
        meter(replace(news, stage=f"{label}: {news.stage}"))

    return tell


def _write(stream: TextIO, text: str) -> None:
    with suppress(OSError, ValueError):  # a log that takes no more must not stop the work
        stream.write(text)
        stream.flush()
