"""The most memory that this process ever had."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak() -> int:
    """In bytes.

    ``ru_maxrss`` of a new process begins with what its parent had; Linux also has a figure that
    does not.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
