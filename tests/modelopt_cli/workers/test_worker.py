"""A worker as its parent sees it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from compress_core import from_config
from compress_core.batch import Item, prepare
from modelopt_cli.workers.orders import Setup
from modelopt_cli.workers.worker import Worker


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    prepare(tmp_path)
    return Setup.of(from_config({"version": 1}), folder=str(tmp_path), label="1of1")


def test_from_begin_to_end(setup: Setup, tmp_path: Path) -> None:
    worker = Worker(setup)
    assert worker.item is None
    item = Item("absent", tmp_path / "absent", tmp_path / "out")
    worker.give(item, wait=False)
    assert worker.item == item
    lines = worker.heard()
    assert lines is not None
    assert lines[0]["answer"]["outcome"]["message"] == "no such file"
    worker.end()
    assert worker.wait() == 0


def test_it_is_stopped(setup: Setup) -> None:
    worker = Worker(setup)
    worker.stop()
    assert worker.wait() in (143, -signal.SIGTERM)


def test_orders_to_the_dead_are_no_error(setup: Setup, tmp_path: Path) -> None:
    worker = Worker(setup)
    worker.stop()
    while worker.heard() is not None:
        pass
    worker.give(Item("a", tmp_path, tmp_path), wait=False)
    worker.wait()


def test_signals_are_as_they_were(setup: Setup) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    worker = Worker(setup)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    worker.end()
    worker.wait()


def test_a_module_of_the_working_folder_is_not_taken_for_ours(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit(7)")
    (tmp_path / "modelopt_cli").mkdir()
    (tmp_path / "modelopt_cli" / "__init__.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    worker = Worker(setup)
    worker.end()
    assert worker.wait() == 0
    assert os.listdir(tmp_path / "modelopt_cli") == ["__init__.py"]
