"""Peak memory, wall and CPU time of `modelopt` against the size of the file.

    python benchmarks/memory.py --sizes 1,2,4,6 --folder /var/tmp
    python benchmarks/memory.py --kind bin --sizes 4 --folder /var/tmp --max-rss 1024

For each size a bfloat16 file is written tile by tile: one tensor of half the file, at most 2 GiB,
and layers of 4096 × 4096; as ``bin`` see benchmarks/torch_zip.py. Its values are normal random
numbers from a fixed seed. Every command runs in a process of its own; its output and, at the end of
a size, its input are removed. What is copied into a temporary file lies in ``--folder`` too.

For Linux. This process must stay small: the peak RSS of a child starts at that of the process that
started it. So NumPy is loaded only in the process that writes the input.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

GIB = 1024**3
MIB = 1024**2
COLUMNS = 4096
LAYER_ROWS = 4096
ROW_BYTES = 2 * COLUMNS
TILE_ROWS = 1024

COMMANDS = (
    "inspect",
    "compress",
    "quantize --bits 4 --group-size 128 --scale-search none",
    "prune --sparsity 0.5 --scope global",
)


@dataclass(frozen=True)
class Run:
    """One measured process."""

    command: str
    kind: str
    gib: float
    wall_s: float
    cpu_s: float
    peak_rss_mib: float
    output_mib: float


def shapes(size: int) -> Iterator[tuple[str, int]]:
    """Name and rows of each tensor in a file of about ``size`` bytes."""
    big = min(size // 2, 2 * GIB) // ROW_BYTES
    yield "model.embed_tokens.weight", big
    layers = (size // ROW_BYTES - big) // LAYER_ROWS
    for layer in range(layers):
        yield f"model.layers.{layer}.mlp.up_proj.weight", LAYER_ROWS


def write_weights(path: Path, size: int, seed: int = 0) -> None:
    """Write a safetensors file of about ``size`` bytes, holding one tile at a time."""
    import ml_dtypes
    import numpy as np

    header = {}
    end = 0
    for name, rows in shapes(size):
        start, end = end, end + rows * ROW_BYTES
        header[name] = {"dtype": "BF16", "shape": [rows, COLUMNS], "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, rows in shapes(size):
            for first in range(0, rows, TILE_ROWS):
                count = min(TILE_ROWS, rows - first)
                tile = random.standard_normal((count, COLUMNS), dtype=np.float32) * np.float32(0.02)
                file.write(tile.astype(ml_dtypes.bfloat16).tobytes())
        file.flush()
        os.fsync(file.fileno())  # or the disk would still be busy with it during the first run


def write_torch_zip(path: Path, size: int) -> None:
    script = Path(__file__).with_name("torch_zip.py")
    arguments = [sys.executable, str(script), str(path), "--gib", str(size / GIB)]
    subprocess.run(arguments, check=True)


KINDS = {"safetensors": write_weights, "bin": write_torch_zip}
"""Suffix of the input → what writes it."""


def measure(command: str, source: Path, size: int) -> Run:
    """Run one command on ``source`` to its end.

    :raises SystemExit: it failed.
    """
    program = Path(sys.executable).with_name("modelopt")
    target = source.with_name("output.safetensors")
    name, *options = command.split()
    arguments = [str(program), name, str(source), *options]
    if name != "inspect":
        arguments += ["--output", str(target), "--quiet"]
    environment = {**os.environ, "TMPDIR": str(source.parent)}
    start = time.perf_counter()
    silent = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
    pid = os.posix_spawn(program, arguments, environment, file_actions=[silent])
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(arguments)}: exit code {os.waitstatus_to_exitcode(status)}")
    written = target.stat().st_size if target.exists() else 0
    target.unlink(missing_ok=True)
    return Run(
        command=command,
        kind=source.suffix.removeprefix("."),
        gib=size / GIB,
        wall_s=round(wall, 2),
        cpu_s=round(usage.ru_utime + usage.ru_stime, 2),
        peak_rss_mib=round(usage.ru_maxrss / 1024, 1),
        output_mib=round(written / MIB, 1),
    )


def measure_size(folder: Path, kind: str, size: int) -> Iterator[Run]:
    source = folder / f"input.{kind}"
    writer = multiprocessing.Process(target=KINDS[kind], args=(source, size))
    writer.start()
    writer.join()
    if writer.exitcode:
        sys.exit("the input could not be written")
    for command in COMMANDS:
        yield measure(command, source, size)
    source.unlink()


def sizes(text: str) -> list[int]:
    return [int(float(number) * GIB) for number in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=sizes, default=sizes("1,2,4,6"), metavar="GIB,…")
    parser.add_argument("--kind", choices=KINDS, default="safetensors", help="suffix of the input")
    parser.add_argument("--folder", type=Path, help="where files are written (default: temporary)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the numbers here too")
    parser.add_argument("--max-rss", type=float, metavar="MIB", help="exit 1 if any peak is above")
    given = parser.parse_args()

    print(f"{'GiB':>5}  {'wall s':>7}  {'CPU s':>7}  {'peak MiB':>8}  {'out MiB':>8}  command")
    runs = []
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for size in given.sizes:
            for run in measure_size(Path(folder), given.kind, size):
                runs.append(run)
                print(
                    f"{run.gib:5g}  {run.wall_s:7.2f}  {run.cpu_s:7.2f}  {run.peak_rss_mib:8.1f}"
                    f"  {run.output_mib:8.1f}  {run.command}",
                    flush=True,
                )
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(run) for run in runs], indent=2) + "\n")
    if given.max_rss is not None and max(run.peak_rss_mib for run in runs) > given.max_rss:
        sys.exit(f"a peak is above {given.max_rss:g} MiB")


if __name__ == "__main__":
    main()
