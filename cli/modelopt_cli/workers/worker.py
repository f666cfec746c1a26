"""A worker process as its parent sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import compress_core
import modelopt_cli
from compress_core.batch import Item
from modelopt_cli.workers.lines import LineReader, write_line
from modelopt_cli.workers.orders import END, Setup, Task

_MODULE = "modelopt_cli.workers.process"
_PATIENCE = 15.0
"""Seconds that a worker gets to clean up; more than it gives itself."""

_HELD = (signal.SIGINT, signal.SIGTERM)


class Worker:
    """One process, and the item that it works on.

    :ivar item: ``None`` while it is free.
    """

    def __init__(self, setup: Setup) -> None:
        self.item: Item | None = None
        # a signal must not come before anybody knows of the process; and Ctrl-C, which a terminal
        # sends to all, stays blocked in it: the parent says when to stop
        with _signals_held():
            self._process = subprocess.Popen(
                # -P: no module of the working folder takes the place of one of ours
                [sys.executable, "-P", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=_environment(),
                bufsize=0,
            )
        self._lines = LineReader(self.file)
        self._send(asdict(setup))

    @property
    def file(self) -> int:
        """The number of the pipe that answers come from."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def give(self, item: Item, *, wait: bool) -> None:
        """Have it work on an item."""
        self.item = item
        self._send(asdict(Task.of(item, wait=wait)))

    def heard(self) -> list[dict[str, Any]] | None:
        """What it has said; ``None``: it is dead."""
        return self._lines.read()

    def end(self) -> None:
        """Tell it that there is nothing more to do."""
        self._send(END)

    def stop(self) -> None:
        """End it in the middle of its work."""
        self._process.terminate()

    def wait(self) -> int:
        """Wait for its end, for so long as that may take; the exit code, negative for a signal."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            return self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _send(self, said: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # that it is dead will be heard
            write_line(self._process.stdin.fileno(), said)


@contextmanager
def _signals_held() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """The packages of this process, and one thread: libraries start as many as there are cores."""
    homes = [str(Path(module.__path__[0]).parent) for module in (compress_core, modelopt_cli)]
    paths = dict.fromkeys(
        [*homes, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    )
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**os.environ, **one, "PYTHONPATH": os.pathsep.join(paths)}
