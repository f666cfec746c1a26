"""Time of methods that go by Gram matrices, against that of their matrix products alone.

    python -m benchmarks.calibrated               a table
    python -m benchmarks.calibrated --json FILE   and the figures for programs

A matrix of 1,024 rows and as many columns is quantized by ``gptq`` (``int4``, groups of 128) and
pruned by ``admm``; *bound* is what NumPy takes for matrix products of the same shapes and number
and nothing else. For ``gptq`` these are the products with all errors so far, a block of 128 columns
at a time, and one of 128 columns with themselves; for an iteration of ``admm`` the two products
with eigenvectors. What is computed once a Gram matrix is timed by itself, against the Cholesky
factor and the eigenvectors that LAPACK gives. The threads of BLAS are set for a process, so that
each measurement is one; those of one and of two threads take turns, and medians are shown.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from compress_core.fitting import Fitting
from compress_core.kernels.calibrated import admm as admm_module
from compress_core.kernels.calibrated.admm import Spectrum, admm
from compress_core.kernels.calibrated.factor import BLOCK, damp
from compress_core.kernels.calibrated.gptq import Ordered, gptq
from compress_core.kernels.calibrated.problem import Problem, SmallestOfRow
from compress_core.passes.base import GRAM_ROWS
from compress_core.passes.prune.counting import share
from compress_core.passes.quantize.refined import GridOfScheme
from compress_core.schemes.integer import Integer

ROWS = COLUMNS = 1024
THREADS = (1, 2)
FEW, MANY = 3, 21  # turns of admm that are never cut short

Array = np.ndarray[Any, np.dtype[np.float32]]


def best(work: Callable[[], object], times: int = 3) -> float:
    """Seconds of the fastest of some runs."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def example() -> tuple[Array, Array]:
    """Weights, and a damped Gram matrix of inputs that hang together."""
    random = np.random.default_rng(0)
    weights = random.standard_normal((ROWS, COLUMNS), dtype=np.float32)
    mixing = random.standard_normal((COLUMNS, COLUMNS), dtype=np.float32)
    mixing *= np.exp(random.standard_normal(COLUMNS, dtype=np.float32))
    gram = mixing @ mixing.T / np.float32(COLUMNS)
    damp(gram, 0.1)
    return weights, gram


def blocks(weights: Array) -> list[Array]:
    return [weights[first : first + GRAM_ROWS] for first in range(0, ROWS, GRAM_ROWS)]


def all_gptq(weights: Array, found: Ordered) -> None:
    scheme, fitting = Integer(4, 128), Fitting("absmax", "mse", negative_scale=True)
    for own in blocks(weights):
        grid = GridOfScheme(scheme, scheme.fit(own, None, fitting), fitting, None)
        gptq(own, grid, found)


def fits(weights: Array) -> None:
    scheme, fitting = Integer(4, 128), Fitting("absmax", "mse", negative_scale=True)
    for own in blocks(weights):
        scheme.fit(own, None, fitting)


def products_of_gptq(factor: Array) -> None:
    errors = np.ones((COLUMNS, GRAM_ROWS), np.float32)
    for _ in range(0, ROWS, GRAM_ROWS):
        for first in range(0, COLUMNS, BLOCK):
            np.matmul(factor[first : first + BLOCK, :first], errors[:first])
            np.matmul(factor[first : first + BLOCK, :BLOCK], errors[:BLOCK])


def some_admm(weights: Array, found: Spectrum, turns: int) -> None:
    with mock.patch.object(admm_module, "MOST_TURNS", turns):
        for own in blocks(weights):
            admm(Problem(own, None, SmallestOfRow(partial(share, 0.5))), found)


def products_of_admm(weights: Array, vectors: Array) -> None:
    for own in blocks(weights):
        np.matmul(np.matmul(own, vectors), vectors.T)


def measured() -> dict[str, float]:
    """Milliseconds: what the methods take, and their bounds."""
    weights, gram = example()
    ordered, spectrum = Ordered.of(gram), Spectrum.of(gram)
    turns = best(lambda: some_admm(weights, spectrum, MANY)) - best(
        lambda: some_admm(weights, spectrum, FEW)
    )
    found = {
        "gptq": best(lambda: all_gptq(weights, ordered)) - best(lambda: fits(weights)),
        "gptq bound": best(lambda: products_of_gptq(ordered.factor)),
        "admm, an iteration": turns / (MANY - FEW),
        "admm, an iteration bound": best(lambda: products_of_admm(weights, spectrum.vectors)),
        "factor": best(lambda: Ordered.of(gram)),
        "factor bound": best(lambda: np.linalg.cholesky(gram)),
        "eigenvectors": best(lambda: Spectrum.of(gram), 1),
        "eigenvectors bound": best(lambda: np.linalg.eigh(gram), 1),
    }
    return {name: 1000 * seconds for name, seconds in found.items()}


def of_process(threads: int) -> dict[str, float]:
    """What :func:`measured` says in a process whose BLAS has so many threads."""
    own = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")}
    command = [sys.executable, "-m", "benchmarks.calibrated", "--once"]
    run = subprocess.run(command, env=os.environ | own, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(run.stdout)
    return found


def medians(rounds: int) -> dict[int, dict[str, float]]:
    """Threads → the medians of measurements that took turns."""
    found: dict[int, list[dict[str, float]]] = {threads: [] for threads in THREADS}
    for _ in range(rounds):
        for threads in THREADS:
            found[threads].append(of_process(threads))
    return {
        threads: {name: statistics.median(one[name] for one in each) for name in each[0]}
        for threads, each in found.items()
    }


def lines(found: dict[int, dict[str, float]]) -> Sequence[str]:
    """A table in Markdown."""
    said = ["| | Threads | ms | bound, ms | times |", "| --- | ---: | ---: | ---: | ---: |"]
    names = [name for name in found[THREADS[0]] if not name.endswith(" bound")]
    for name in names:
        for threads, figures in found.items():
            took, bound = figures[name], figures[f"{name} bound"]
            said.append(f"| {name} | {threads} | {took:.1f} | {bound:.1f} | {took / bound:.1f} |")
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description="Methods by Gram matrices against their products.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.once:
        print(json.dumps(measured()))
        return
    found = medians(chosen.rounds)
    print("\n".join(lines(found)))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
