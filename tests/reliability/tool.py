"""The command in a process of its own, interrupted, starved and watched from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

PATIENCE = 120
"""Seconds that a process may take on a machine that has other things to do."""


@dataclass(frozen=True)
class Ran:
    """What a command did; ``code`` is negative if a signal killed it."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Tool:
    """``modelopt`` in a working folder, in an environment that says nothing of terminals."""

    folder: Path
    prefix: tuple[str, ...] = (sys.executable, "-m", "modelopt_cli")

    def start(
        self,
        *arguments: str | Path,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        **details: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a process; ``before`` runs in it before the command does."""

        def prepare() -> None:
            # a test run in the background of a shell ignores SIGINT, and so would its children
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if before is not None:
                before()

        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL}
        streams |= dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [*self.prefix, *map(str, arguments)],
            cwd=self.folder,
            env=bare_environment() if environment is None else dict(environment),
            preexec_fn=prepare,
            **(streams | details),
        )
        return process

    def run(self, *arguments: str | Path, **details: Any) -> Ran:
        """Run a command to its end; ``details`` are those of :meth:`start`."""
        with self.start(*arguments, **details) as process:
            return ended(process)


def bare_environment(**more: str) -> dict[str, str]:
    """What a process needs to find the packages, and ``more``."""
    found = {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "cli")]),
    }
    measured = {name: value for name, value in os.environ.items() if name.startswith("COV")}
    return {**found, **measured, **more}


def ended(process: subprocess.Popen[bytes]) -> Ran:
    """Wait for a process and take what it said."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ran(process.returncode, (out or b"").decode(), (err or b"").decode())


def check_error(ran: Ran, code: int, *named: str) -> None:
    """An error as everybody should meet it: one, short, with its place and a way out."""
    assert ran.code == code, ran.err
    lines = ran.err.splitlines()
    assert lines[0].startswith("error: "), ran.err
    assert [line for line in lines if line.startswith("error")] == lines[:1], ran.err
    assert len(lines) <= 4, ran.err
    assert lines[-1].startswith("hint: "), ran.err
    assert len(lines[-1]) > len("hint: ") + 8
    assert "Traceback" not in ran.err + ran.out
    for word in named:
        assert word in ran.err, ran.err


def when_writing(process: subprocess.Popen[bytes], folder: Path, act: Callable[[], None]) -> bool:
    """Do something as soon as a process has begun to write into ``folder``.

    ``False``: it was too fast.
    """
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if leftovers(folder):
            act()
            return True
        time.sleep(0.001)
    return False


def leftovers(folder: Path) -> list[str]:
    """Names of unfinished outputs in a folder."""
    return sorted(name for name in os.listdir(folder) if name.endswith((".part", ".old")))
