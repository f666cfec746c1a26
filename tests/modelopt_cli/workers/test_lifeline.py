"""A process that does not outlive its parent, and is not ended before."""

from __future__ import annotations

import signal
import subprocess
import sys

WATCH = """
import time
from modelopt_cli.workers.lifeline import die_with_parent, watch
die_with_parent()
watch(lambda: ANNOUNCED)
time.sleep(SECONDS)
"""


def code(environment: dict[str, str], *, announced: bool, seconds: float) -> int:
    """The exit code of a process whose pipe closes at once."""
    script = WATCH.replace("ANNOUNCED", str(announced)).replace("SECONDS", str(seconds))
    return subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode


def test_an_end_that_was_announced_is_left_to_the_process(
    clean_environment: dict[str, str],
) -> None:
    assert code(clean_environment, announced=True, seconds=0.3) == 0


def test_an_end_that_was_not_is_the_end(clean_environment: dict[str, str]) -> None:
    assert code(clean_environment, announced=False, seconds=60) == -signal.SIGTERM


def test_what_does_not_listen_is_ended_as_well(clean_environment: dict[str, str]) -> None:
    script = (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "from modelopt_cli.workers import lifeline\nlifeline._GRACE = 0.1\n"
    ) + WATCH.replace("ANNOUNCED", "False").replace("SECONDS", "60")
    done = subprocess.run([sys.executable, "-c", script], env=clean_environment, check=False)
    assert done.returncode == 143
