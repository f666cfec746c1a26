"""The worker process: ``python -m modelopt_cli.workers.process``, orders on stdin."""

from __future__ import annotations

import os
import queue
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from modelopt_cli.workers.lifeline import die_with_parent, watch
from modelopt_cli.workers.lines import LineReader, write_line

if TYPE_CHECKING:  # what takes time is imported when there is something to do
    from types import FrameType

    from compress_core import Progress
    from compress_core.batch import Bench
    from modelopt_cli.workers.orders import Answer, Task

_EVERY = 0.1
"""Seconds between two lines of progress."""

Inbox = queue.SimpleQueue[dict[str, Any]]


class _Stopped(BaseException):
    """SIGTERM came; raised so that all on the way out can clean up."""


def main() -> int:
    """Work until nothing is left to do or the parent is gone; the exit code."""
    try:
        signal.signal(signal.SIGTERM, _stop)
        die_with_parent()
        answers, inbox = _private_stdout(), _inbox(sys.stdin.fileno())
        # the parent blocks signals while it starts a worker, and a process inherits that
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        _serve(inbox, answers)
    except (_Stopped, BrokenPipeError):
        return 128 + signal.SIGTERM
    return 0


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _private_stdout() -> int:
    """A number for stdout that nobody else writes to; whoever prints, prints to stderr."""
    own = os.dup(1)
    os.dup2(2, 1)
    return own


def _inbox(file: int) -> Inbox:
    """What comes in, taken by a thread that also notices the end."""
    inbox: Inbox = queue.SimpleQueue()
    reader = LineReader(file)

    def until_closed() -> bool:
        while (lines := reader.read()) is not None:
            for line in lines:
                inbox.put(line)
                if "end" in line:
                    return True
        return False

    watch(until_closed)
    return inbox


def _serve(inbox: Inbox, answers: int) -> None:
    first = inbox.get()
    if "end" in first:
        return
    from dataclasses import replace

    from compress_core.batch import Bench
    from modelopt_cli.computing import begin_computing
    from modelopt_cli.workers.orders import Setup, Task

    begin_computing()
    order = Setup(**first).order()
    order = replace(order, settings=replace(order.settings, progress=_telling(answers)))
    with Bench(order) as bench:
        while "end" not in (line := inbox.get()):
            write_line(answers, _answer(bench, Task(**line)).to_json())


def _answer(bench: Bench, task: Task) -> Answer:
    from compress_core.batch import Outcome
    from modelopt_cli.bug import as_bug
    from modelopt_cli.workers.orders import Answer

    try:
        return Answer(bench.do(task.item, wait=task.wait))
    except Exception as error:
        import traceback

        told = "".join(traceback.format_exception(error))
        return Answer(Outcome.failed(task.name, as_bug(error)), told)


def _telling(answers: int) -> Any:
    """What tells the parent how far an item is: of several sweeps, how far the last is."""
    due = 0.0

    def tell(news: Progress) -> None:
        nonlocal due
        now = time.monotonic()
        if news.stage == "write" and now >= due:
            due = now + _EVERY
            write_line(answers, {"progress": news.done / max(1, news.total)})

    return tell


if __name__ == "__main__":
    sys.exit(main())
