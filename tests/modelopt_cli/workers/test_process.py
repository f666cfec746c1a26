"""A worker process by itself: it ends with its orders, with its parent, or when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from compress_core import from_config
from compress_core.batch import prepare
from modelopt_cli.workers.orders import END, Setup

COMMAND = [sys.executable, "-m", "modelopt_cli.workers.process"]
PARENT = """
import subprocess, sys, time
worker = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(worker.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def setup(tmp_path: Path) -> bytes:
    prepare(tmp_path)
    said = Setup.of(from_config({"version": 1}), folder=str(tmp_path), label="1of1")
    return json.dumps(asdict(said)).encode() + b"\n"


def start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )


def test_it_ends_when_nothing_is_left_to_do(
    clean_environment: dict[str, str], setup: bytes
) -> None:
    end = json.dumps(END).encode() + b"\n"
    for orders in (setup + end, end):
        with start(clean_environment) as worker:
            assert worker.communicate(orders, timeout=60) == (b"", b"")
            assert worker.returncode == 0


def test_it_ends_with_the_pipe(clean_environment: dict[str, str], setup: bytes) -> None:
    """As on systems that do not tell a process that its parent has died."""
    for orders in (b"", setup):
        with start(clean_environment) as worker:
            assert worker.communicate(orders, timeout=60) == (b"", b"")
            assert worker.returncode == 143


def test_it_ends_when_told_to(clean_environment: dict[str, str], setup: bytes) -> None:
    with start(clean_environment) as worker:
        assert worker.stdin is not None
        worker.stdin.write(setup)
        worker.stdin.flush()
        time.sleep(0.5)
        worker.terminate()
        assert worker.wait(60) in (143, -signal.SIGTERM)


def test_it_ends_with_its_parent(clean_environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, *COMMAND], stdout=subprocess.PIPE, env=clean_environment
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.3)
        parent.kill()
    deadline = time.monotonic() + 60
    while is_there(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
