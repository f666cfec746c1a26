"""How much memory the command had."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from tests.reliability.tool import Tool

MIB = 1024**2

MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def peak(tool: Tool, *arguments: str | Path, code: int = 0) -> int:
    """The most memory that a command had, in bytes.

    A small process starts it: a large one, as that of the tests, would hand down its own figure.
    """
    measured = replace(tool, prefix=(sys.executable, "-c", MEASURE, *tool.prefix))
    ran = measured.run(*arguments)
    assert ran.code == code, ran.err
    return int(ran.out) * (1024 if sys.platform == "linux" else 1)
