"""Whole commands against `cp` of their input, in turns.

    python -m benchmarks.commands --folder /var/tmp
    python -m benchmarks.commands --gib 4 --rounds 7 --folder /var/tmp --json commands.json

The input is that of benchmarks/memory.py, and has been read before: it is in the page cache where
memory allows. In each round the file is copied twice, with an fsync as the tool does it, of which
the second counts: the first takes several times as long where the machine has to get the memory for
it back from its host. Then each command runs once, in a process of its own. Times are medians over
the rounds. The table is in Markdown; the last column but one is the wall time as a multiple of that
of the copy.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from benchmarks.memory import GIB, Run, measure, write_weights

COMMANDS = (
    "quantize --bits 8 --scale-search none",
    "quantize --bits 4 --group-size 128 --scale-search none",
    "quantize --scheme fp8 --scale-search none",
    "quantize --scheme nf4 --scale-search none",
    "quantize --bits 4 --group-size 128",
    "quantize --scheme fp8",
    "quantize --scheme nf4",
    "prune --sparsity 0.5 --scope global",
    "prune --sparsity 0.5",
    "prune --structure 2of4",
)
COPY = "cp, fsync"


@dataclass(frozen=True)
class Row:
    """Medians of one command.

    :ivar of_copy: wall time, as a multiple of that of the copy.
    """

    command: str
    wall_s: float
    cpu_s: float
    of_copy: float
    peak_rss_mib: float

    @property
    def said(self) -> str:
        """A row of the table."""
        return (
            f"| `{self.command}` | {self.wall_s:.2f} | {self.cpu_s:.2f} | {self.of_copy:.2f} |"
            f" {self.peak_rss_mib:.0f} |"
        )


def copied(source: Path) -> Run:
    """Copy the input and wait until the copy is on the disk."""
    target = source.with_name("copy")
    start, before = time.perf_counter(), time.process_time()
    shutil.copyfile(source, target)
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    wall, cpu = time.perf_counter() - start, time.process_time() - before
    target.unlink()
    return Run(COPY, "", source.stat().st_size / GIB, wall, cpu, 0.0, 0.0)


def runs(source: Path, size: int, rounds: int, commands: list[str]) -> Iterator[Run]:
    """All runs of all rounds."""
    for _ in range(rounds):
        copied(source)
        yield copied(source)
        for command in commands:
            yield measure(command, source, size)


def rows(every: list[Run]) -> list[Row]:
    """The medians, in the order in which commands first ran."""
    copy = median(run.wall_s for run in every if run.command == COPY)
    found = []
    for command in dict.fromkeys(run.command for run in every):
        own = [run for run in every if run.command == command]
        wall, cpu = median(run.wall_s for run in own), median(run.cpu_s for run in own)
        peak = max(run.peak_rss_mib for run in own)
        found.append(Row(command, wall, cpu, wall / copy, peak))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--gib", type=float, default=1.0, help="size of the input")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="commands that contain this")
    parser.add_argument("--folder", type=Path, help="where files are written (default: temporary)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    asked = parser.parse_args()
    size = int(asked.gib * GIB)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        source = Path(folder) / "input.safetensors"
        # peaks of children begin at that of this process, so NumPy is loaded in another one
        writer = multiprocessing.Process(target=write_weights, args=(source, size))
        writer.start()
        writer.join()
        if writer.exitcode:
            sys.exit("the input could not be written")
        commands = [command for command in COMMANDS if asked.only in command]
        found = rows(list(runs(source, size, asked.rounds, commands)))
    print("| command | wall, s | CPU, s | × copy | peak, MiB |")
    print("|---|---|---|---|---|")
    print("\n".join(row.said for row in found))
    if asked.json:
        figures = {"gib": asked.gib, "rounds": asked.rounds, "runs": [asdict(row) for row in found]}
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
