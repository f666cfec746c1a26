"""Methods that go by Gram matrices hold no more of them than plans count."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from compress_core.passes.prune import _BY_OUTPUT as METHODS
from compress_core.passes.quantize import _BY_OUTPUT as WAYS

CODE = """
import re, sys
from pathlib import Path
import numpy as np
from compress_core.fitting import FORMULA
from compress_core.kernels.calibrated.problem import SmallestOfRow
from compress_core.passes.prune.optimised import METHODS
from compress_core.passes.quantize.refined import WAYS
from compress_core.schemes.integer import Integer

def peak():
    # of this process alone: getrusage tells what the one had that started it
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

def prepared(name, gram):
    if name in METHODS:
        work = METHODS[name](SmallestOfRow(lambda columns: columns // 2), 0.1)
    else:
        work = WAYS[name](Integer(4, "channel"), FORMULA, None, 0.1)
    return work.given(gram)

name, size = sys.argv[1], int(sys.argv[2])
kept = prepared(name, np.eye(64, dtype=np.float32))  # libraries are loaded by now
before = peak()
gram = [np.eye(size, dtype=np.float32)]
gram[0] += np.float32(0.01)
kept = prepared(name, gram.pop())
print(peak() - before)
"""
SIZE = 2048


def taken(name: str) -> float:
    """Matrices of float32 that a method takes at the most before it sees weights."""
    command = [sys.executable, "-c", CODE, name, str(SIZE)]
    run = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return float(json.loads(run.stdout)) / (4 * SIZE**2)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize(("name", "counted"), [*METHODS.items(), *WAYS.items()])
def test_a_method_takes_no_more_matrices_than_are_counted(name: str, counted: int) -> None:
    found = taken(name)
    assert 0.9 < found <= counted + 0.35, f"{name}: {found:.2f} matrices, and {counted} are counted"
