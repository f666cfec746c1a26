"""What a run takes before there is anything to do, against Python itself, in turns.

    python -m benchmarks.startup
    python -m benchmarks.startup --rounds 31 --json startup.json

The tool must be installed as users have it: packages installed for editing have a hook in every
import. In each round every process runs once. The last run quantizes a file of 300 kB, and writes a
new one. Wall times are medians over the rounds, CPU times means: the system counts them in steps
of 10 ms. Multiples are of the wall time of a yardstick: of Python itself for `--version`, of the
import of the libraries for all else. The table is in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

PYTHON = "python -c pass"
LIBRARIES = "python -c 'import numpy, click, rich.table'"
_TOOL = [sys.executable, "-c", "import sys; from modelopt_cli.main import main; main()"]
_WRITE = """
import sys
import numpy as np
from safetensors.numpy import save_file
rng = np.random.default_rng(0)
shape = (128, 300)
save_file(
    {f"layers.{i}.weight": rng.standard_normal(shape).astype(np.float16) for i in range(4)},
    sys.argv[1],
)
"""


@dataclass(frozen=True)
class Case:
    """A process to time.

    :ivar against: the name of the case that it is compared with.
    :ivar most: the multiple that it may take; ``None``: as it comes.
    """

    name: str
    command: Sequence[str]
    against: str
    most: float | None = None


@dataclass(frozen=True)
class Row:
    """One case, measured; ``multiple`` is of the wall time of ``against``."""

    name: str
    wall_ms: float
    cpu_ms: float
    against: str
    multiple: float
    most: float | None

    @property
    def said(self) -> str:
        """A row of the table."""
        most = "" if self.most is None else f"{self.most:.1f}"
        return (
            f"| `{self.name}` | {self.wall_ms:.0f} | {self.cpu_ms:.0f} | {self.multiple:.2f} |"
            f" {most} |"
        )


def cases(source: Path, target: Path) -> list[Case]:
    """What is measured: the yardsticks, and the tool."""
    flags = ["--bits", "8", "--scale-search", "none"]
    run = [*_TOOL, "quantize", str(source), "-o", str(target), *flags]
    libraries = [sys.executable, "-c", "import numpy, click, rich.table"]
    return [
        Case(PYTHON, [sys.executable, "-c", "pass"], PYTHON),
        Case("modelopt --version", [*_TOOL, "--version"], PYTHON, 2.0),
        Case(LIBRARIES, libraries, LIBRARIES),
        Case("modelopt --help", [*_TOOL, "--help"], LIBRARIES),
        Case("modelopt inspect", [*_TOOL, "inspect", str(source)], LIBRARIES),
        Case(f"modelopt quantize {' '.join(flags)}", run, LIBRARIES, 1.6),
    ]


def timed(command: Sequence[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU time of one process, in milliseconds."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - start, os.times()
    cpu = after.children_user + after.children_system
    return 1e3 * wall, 1e3 * (cpu - before.children_user - before.children_system)


def measured(folder: Path, rounds: int) -> list[Row]:
    """All cases, measured in turns."""
    # else each process would compile what it imports
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    source, target = folder / "input.safetensors", folder / "output.safetensors"
    subprocess.run([sys.executable, "-c", _WRITE, str(source)], check=True)
    every = cases(source, target)
    times: dict[str, list[tuple[float, float]]] = {case.name: [] for case in every}
    for number in range(rounds + 1):
        for case in every:
            found = timed(case.command, environment)
            target.unlink(missing_ok=True)  # to replace one takes more
            if number:  # the first round fills the caches
                times[case.name].append(found)
    walls = {name: median(wall for wall, _ in own) for name, own in times.items()}
    cpus = {name: sum(cpu for _, cpu in own) / len(own) for name, own in times.items()}
    return [
        Row(
            case.name,
            walls[case.name],
            cpus[case.name],
            case.against,
            walls[case.name] / walls[case.against],
            case.most,
        )
        for case in every
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--folder", type=Path, help="where files are written (default: temporary)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        rows = measured(Path(folder), asked.rounds)
    print("| process | wall, ms | CPU, ms | × its yardstick | at most |")
    print("|---|---|---|---|---|")
    print("\n".join(row.said for row in rows))
    if asked.json:
        figures = {"rounds": asked.rounds, "runs": [asdict(row) for row in rows]}
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
