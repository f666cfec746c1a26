"""Worker processes: they work, they end, and what kills one is told."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from compress_core import from_config
from compress_core.batch import Item, Outcome, prepare
from modelopt_cli.workers.orders import Setup
from modelopt_cli.workers.pool import Pool

INT4 = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    prepare(tmp_path / "out")
    return Setup.of(INT4, folder=str(tmp_path / "out"), label="1of1")


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    found = []
    for name in ("a.safetensors", "b.safetensors"):
        save_file({"up.weight": np.ones((64, 64), np.float32)}, tmp_path / name)
        found.append(Item(name, tmp_path / name, tmp_path / "out" / name))
    return found


def outcomes(pool: Pool, count: int) -> list[Outcome]:
    """The next ones."""
    found: list[Outcome] = []
    while len(found) < count:
        answers = (news.answer for news in pool.news())
        found += [one.outcome for one in answers if one and one.outcome]
    return found


def outcome(pool: Pool) -> Outcome:
    """The next one, of a pool that works on nothing else."""
    (found,) = outcomes(pool, 1)
    return found


def test_items_are_worked_on_at_once(setup: Setup, items: list[Item], tmp_path: Path) -> None:
    with Pool(setup, 2) as pool:
        assert not pool.works
        for item in items:
            assert pool.has_room
            pool.give(item, wait=False)
        assert not pool.has_room
        assert {one.item for one in outcomes(pool, 2)} == {"a.safetensors", "b.safetensors"}
        assert not pool.works
        pool.give(items[0], wait=True)
        assert outcome(pool).state == "resumed"
    assert sorted(path.name for path in (tmp_path / "out").glob("*.*")) == [
        ".modelopt",
        "a.safetensors",
        "b.safetensors",
    ]


def test_a_worker_that_is_killed_is_told_and_replaced(setup: Setup, items: list[Item]) -> None:
    with Pool(setup, 1) as pool:
        pool.give(items[0], wait=False)
        os.kill(only_child(), signal.SIGKILL)
        failed = outcome(pool)
        assert (failed.state, failed.message) == ("failed", "its process was killed by SIGKILL")
        assert "memory" in str(failed.hint)
        pool.give(items[0], wait=False)
        assert outcome(pool).state == "done"


def test_a_bug_is_told_with_its_traceback(setup: Setup, items: list[Item]) -> None:
    # what no command would send: a name that is no text breaks the journal
    broken = Item(3, items[0].source, items[0].target)  # type: ignore[arg-type]
    with Pool(setup, 1) as pool:
        pool.give(broken, wait=False)
        (answer,) = [news.answer for news in pool.news() if news.answer]
    assert answer.outcome is not None
    assert "this is a bug in modelopt" in str(answer.outcome.message)
    assert "Traceback" in str(answer.traceback)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_none_is_left_when_it_ends_badly(
    setup: Setup, items: list[Item], stop: type[BaseException]
) -> None:
    def badly() -> None:
        with Pool(setup, 2) as pool:
            for item in items:
                pool.give(item, wait=False)
            raise stop

    with pytest.raises(stop):
        badly()
    check_no_children()


def test_none_is_left_when_nobody_had_anything_to_do(setup: Setup) -> None:
    with Pool(setup, 2):
        pass
    check_no_children()


def check_no_children() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def only_child() -> int:
    me = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    if not me.exists():
        pytest.skip("the children of a process are not listed here")
    (child,) = me.read_text().split()
    return int(child)
