"""Judge some mutants in a process of their own, which may hang, grow or die.

    python -m tests.fuzz.batch SEED FIRST COUNT

The last line that it prints is its figures. Where something is wrong, it is the number of the
mutant, and the reason stands in what it writes to stderr.
"""

from __future__ import annotations

import faulthandler
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz.figures import Figures
from tests.fuzz.footprint import peak
from tests.fuzz.judge import judge
from tests.fuzz.mutants import Mutant, mutant

SECONDS = 10
"""What one mutant may take, and a process that does not end in twice that time hangs."""

_MEMORY = 200_000_000
_TIMES = 3


class BrokenError(Exception):
    """A mutant broke the reader; the message says which one, and how."""


def run_in_child(seed: int, first: int, count: int) -> Figures:
    """Judge mutants ``first:first + count`` of a seed.

    :raises BrokenError: one of them broke the reader.
    """
    command = [sys.executable, "-m", "tests.fuzz.batch", *map(str, (seed, first, count))]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=False)
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = f"seed {seed}, number {lines[-1] if lines else None}, exit code {done.returncode}"
        raise BrokenError(f"{said}\n{done.stderr}")
    return Figures.from_json(json.loads(lines[-1]))


def run(seed: int, first: int, count: int) -> Figures:
    """Judge them here; hangs end the process."""
    found = Figures()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # where a payload would leave its canary
        for number in range(first, first + count):
            print(number, flush=True)
            _add(found, mutant(seed, number), Path(scratch))
        os.chdir("/")
    return found


def _add(found: Figures, one: Mutant, scratch: Path) -> None:
    faulthandler.dump_traceback_later(2 * SECONDS, exit=True)
    judged = judge(one, scratch)
    faulthandler.cancel_dump_traceback_later()
    assert judged.seconds < SECONDS, f"{judged.seconds:.1f} seconds ({one.source})"
    memory = peak()
    if memory > found.memory:  # so it is this one that took it
        assert memory < _MEMORY + _TIMES * one.size, f"{memory / 1e6:.0f} MB ({one.source})"
    found.add(Figures(Counter([judged.verdict]), judged.seconds, one.number, memory))


if __name__ == "__main__":
    print(json.dumps(run(*map(int, sys.argv[1:])).to_json()))
