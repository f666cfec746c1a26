"""Kernels on one core: those in C, those in NumPy, and a copy of the same input, in turns.

    python benchmarks/kernels.py
    python benchmarks/kernels.py --mib 256 --rounds 9 --only int4 --json kernels.json

A job is what the tool does with the tiles of a bfloat16 tensor, from the bits that were read to
those that are written: it calls the same functions on tiles of the same size. Its input is made
from a fixed seed. In each round every job runs with both kinds of kernels, one after the other, and
after a copy of the input into memory that is there already. What counts is the CPU time of the
process, its median over the rounds. The table is in Markdown: gigabytes of input a second, how
many times faster C is than NumPy, and the speed of C as a share of that of the copy.

Expensive jobs see only the first tiles of the input; speeds are of what they see.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.fitting import FORMULA, Fitting
from compress_core.kernels import differences, floats, masks, ranking, twins
from compress_core.kernels.bits import pack, unpack
from compress_core.kernels.clipping import beyond
from compress_core.schemes.base import Scheme
from compress_core.schemes.fp8 import Fp8
from compress_core.schemes.integer import Integer
from compress_core.schemes.mxfp4 import Mxfp4
from compress_core.schemes.nf4 import Nf4
from compress_core.schemes.nvfp4 import Nvfp4
from modelopt_cli.allocator import keep_freed_memory

COLUMNS = 4096
TILE_ROWS = 256
GRAIN_ROWS = 16
SEARCH = Fitting(search="mse", negative_scale=True)

Tile = NDArray[np.uint16]


@dataclass(frozen=True)
class Job:
    """What is done with each tile.

    :ivar share: of the tiles that it sees.
    """

    name: str
    run: Callable[[Tile], Any]
    share: float = 1.0


@dataclass
class Times:
    """CPU seconds of each round."""

    copy: list[float] = field(default_factory=list)
    native: list[float] = field(default_factory=list)
    numpy: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Row:
    """The medians of a job; speeds in 10⁹ bytes of input a second."""

    job: str
    native: float
    numpy: float
    copy: float

    @property
    def said(self) -> str:
        """A row of the table."""
        faster, of_copy = self.native / self.numpy, self.native / self.copy
        return (
            f"| {self.job} | {self.native:.2f} | {self.numpy:.2f} | {faster:.1f} | {of_copy:.2f} |"
        )


def quantized(scheme: Scheme, fitting: Fitting = FORMULA) -> Callable[[Tile], Any]:
    """From bits to packed codes and scales."""

    def run(tile: Tile) -> Any:
        found, codes = scheme.round(tile, "BF16", fitting)
        scale = floats.narrow(found["scale"], scheme.parameters()["scale"].dtype)
        return pack(codes, scheme.bits), scale

    return run


def appraised(scheme: Scheme) -> Callable[[Tile], Any]:
    """The sums of errors of codes, and how many values were cut off."""
    known: list[Any] = []

    def run(tile: Tile) -> Any:
        if not known:
            known.extend(scheme.round(tile, "BF16"))
        found, codes = known
        ends, width = scheme.ends(found), scheme.width(tile.shape[1])
        clipped = None if ends is None else beyond(tile, "BF16", width, ends, None)
        return scheme.rounding_errors(tile, "BF16", codes, found, "BF16", GRAIN_ROWS), clipped

    return run


def restored(scheme: Scheme) -> Callable[[Tile], Any]:
    """Unpack, decode and round; the input is the restored tensor."""
    known: list[Any] = []

    def run(tile: Tile) -> Any:
        if not known:
            values = floats.widen(tile, "BF16")
            found = scheme.fit(values, None)
            known.extend((pack(scheme.encode(values, found), scheme.bits), found))
        stream, found = known
        codes = unpack(stream, scheme.bits, tile.shape[1])
        return floats.narrow(scheme.decode(codes, found), "BF16")

    return run


def magnitudes(tile: Tile) -> NDArray[Any]:
    """Keys that order elements by what they are worth."""
    return floats.magnitude_keys(tile, "BF16", 16)


def below_half(tile: Tile) -> Any:
    """Zero what is below a threshold, and compact the rest."""
    mask = ranking.below(magnitudes(tile), 0x3C80, 0)
    return masks.zeroed(tile, mask), masks.compacted(tile, mask)


def half_of_each_row(tile: Tile) -> Any:
    """Zero the smaller half of every row."""
    return masks.zeroed(tile, ranking.smallest(magnitudes(tile), COLUMNS // 2))


def two_of_four(tile: Tile) -> Any:
    """Zero the two smallest of every four."""
    return masks.zeroed(tile, ranking.smallest_of_groups(magnitudes(tile), 2, 4))


def jobs() -> list[Job]:
    """Everything that is measured."""
    int4 = Integer(4, 128, scale_dtype="BF16")
    asymmetric = Integer(4, 128, symmetric=False, scale_dtype="BF16")
    return [
        Job("widen bf16", lambda tile: floats.widen(tile, "BF16")),
        Job("int8 channel", quantized(Integer(8, "channel"))),
        Job("int4 g128", quantized(int4)),
        Job("int4 g128 asym", quantized(asymmetric)),
        Job("int3 g128", quantized(Integer(3, 128, scale_dtype="BF16"))),
        Job("fp8 channel", quantized(Fp8(8, "channel"))),
        Job("nf4 g64", quantized(Nf4(4, 64))),
        Job("nvfp4 g16", quantized(Nvfp4(4, 16))),
        Job("int4 g128, search", quantized(int4, SEARCH), 1 / 16),
        Job("int4 g128 asym, search", quantized(asymmetric, SEARCH), 1 / 16),
        Job("nf4 g64, search", quantized(Nf4(4, 64), SEARCH), 1 / 16),
        Job("fp8 channel, search", quantized(Fp8(8, "channel"), SEARCH), 1 / 16),
        Job("nvfp4 g16, search", quantized(Nvfp4(4, 16), SEARCH), 1 / 16),
        Job("mxfp4 g32, search", quantized(Mxfp4(4, 32), SEARCH), 1 / 16),
        Job("restore int4 g128", restored(int4)),
        Job("restore nf4 g64", restored(Nf4(4, 64))),
        Job("restore fp8 channel", restored(Fp8(8, "channel"))),
        Job("error sums", lambda tile: differences.measured(tile, tile, ("BF16", "BF16"))),
        Job("errors of int8 codes", appraised(Integer(8, "channel"))),
        Job("errors of int4 codes", appraised(int4)),
        Job("errors of fp8 codes", appraised(Fp8(8, "channel"))),
        Job("errors of nf4 codes", appraised(Nf4(4, 64))),
        Job(
            "histogram of magnitudes",
            lambda tile: ranking.digit_histogram(magnitudes(tile), 16, 0, 0),
        ),
        Job("prune below a threshold", below_half),
        Job("prune half of each row", half_of_each_row),
        Job("prune 2 of 4", two_of_four),
    ]


def weights(mib: int) -> Tile:
    """bfloat16 normal random numbers, (rows, columns)."""
    rows = max(TILE_ROWS, mib * 1024**2 // (2 * COLUMNS) // TILE_ROWS * TILE_ROWS)
    raw = np.empty((rows, COLUMNS), np.uint16)
    rng = np.random.default_rng(0)
    for tile in tiles(raw):
        drawn = rng.standard_normal(tile.shape, np.float32) * np.float32(0.02)
        tile[:] = floats.narrow(drawn, "BF16")
    return raw


def tiles(raw: Tile, share: float = 1.0) -> Iterator[Tile]:
    """The first tiles of the input, at least one."""
    count = max(1, round(len(raw) // TILE_ROWS * share))
    return (raw[at * TILE_ROWS : (at + 1) * TILE_ROWS] for at in range(count))


def seconds(run: Callable[[Tile], Any], raw: Tile, share: float) -> float:
    """CPU time of this process for a byte of the tiles."""
    seen, start = 0, time.process_time()
    for tile in tiles(raw, share):
        run(tile)
        seen += tile.nbytes
    return (time.process_time() - start) / seen


def measured(chosen: list[Job], raw: Tile, rounds: int) -> list[Row]:
    """All jobs, in turns."""
    target, times = np.zeros_like(raw), {job.name: Times() for job in chosen}
    for _ in range(rounds):
        for job in chosen:
            here = times[job.name]
            here.copy.append(copied(raw, target))
            for kernels, known in (("native", here.native), ("numpy", here.numpy)):
                twins.use(kernels)
                known.append(seconds(job.run, raw, job.share))
    twins.use(None)
    return [
        Row(name, *map(speed, (one.native, one.numpy, one.copy))) for name, one in times.items()
    ]


def copied(raw: Tile, target: Tile) -> float:
    """CPU time for a byte that is copied."""
    start = time.process_time()
    np.copyto(target, raw)
    return (time.process_time() - start) / raw.nbytes


def speed(times: list[float]) -> float:
    """10⁹ bytes a second, of the median."""
    return 1e-9 / median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mib", type=int, default=64, help="size of the input")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="jobs whose names contain this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures there")
    asked = parser.parse_args()
    keep_freed_memory()  # as the tool does
    chosen = [job for job in jobs() if asked.only in job.name]
    rows = measured(chosen, weights(asked.mib), asked.rounds)
    print("| job | C, GB/s | NumPy, GB/s | C / NumPy | C / copy |")
    print("|---|---|---|---|---|")
    print("\n".join(row.said for row in rows))
    if asked.json:
        figures = {"mib": asked.mib, "rounds": asked.rounds, "jobs": [asdict(row) for row in rows]}
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
