"""The order of a batch, without processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from compress_core import Progress
from compress_core.batch import Item, Outcome
from modelopt_cli.batching import Batching
from modelopt_cli.workers.orders import Answer
from modelopt_cli.workers.pool import News, Pool

Reply = Callable[[Item, bool], Answer]


class Scripted:
    """A pool of ``size`` workers that answer as ``reply`` says, the first one first."""

    def __init__(self, reply: Reply, size: int = 2) -> None:
        self.given: list[tuple[str, bool]] = []
        self._reply = reply
        self._size = size
        self._work: deque[tuple[Item, bool]] = deque()

    @property
    def has_room(self) -> bool:
        return len(self._work) < self._size

    @property
    def works(self) -> bool:
        return bool(self._work)

    def give(self, item: Item, *, wait: bool) -> None:
        self.given.append((item.name, wait))
        self._work.append((item, wait))

    def news(self) -> list[News]:
        item, wait = self._work.popleft()
        return [News(item, share=0.5), News(item, answer=self._reply(item, wait))]


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    found = []
    for number, name in enumerate("abcd", start=1):
        (tmp_path / name).write_bytes(bytes(number))
        found.append(Item(name, tmp_path / name, tmp_path / "out" / name))
    return found


def run(
    items: list[Item], pool: Scripted, *, keep_going: bool = False
) -> tuple[list[tuple[str, str]], list[Progress], Batching]:
    told: list[Progress] = []
    batch = Batching(items, cast(Pool, pool), keep_going=keep_going, progress=told.append)
    return [(one.item, one.state) for one in batch.run()], told, batch


def well(item: Item, wait: bool) -> Answer:
    return Answer(Outcome(item.name, "done"))


def test_all_in_order(items: list[Item]) -> None:
    pool = Scripted(well)
    states, told, _ = run(items, pool)
    assert states == [(name, "done") for name in "abcd"]
    assert pool.given == [(name, False) for name in "abcd"]
    assert [one.done for one in told] == [1, 3, 6, 10]
    assert told[-1] == Progress("4 of 4", 10, 10)


def test_nothing_to_do() -> None:
    assert run([], Scripted(well))[0] == []


def failing(item: Item, wait: bool) -> Answer:
    return Answer(Outcome(item.name, "failed" if item.name == "b" else "done"), "told")


def test_a_failure_ends_it_and_what_is_begun_is_finished(items: list[Item]) -> None:
    states, _, _ = run(items, Scripted(failing))
    assert states == [("a", "done"), ("b", "failed"), ("c", "done"), ("d", "skipped")]


def test_or_it_keeps_going(items: list[Item]) -> None:
    states, _, batch = run(items, Scripted(failing), keep_going=True)
    assert [state for _, state in states] == ["done", "failed", "done", "done"]
    assert batch.tracebacks == ["told"] * 4


def test_what_another_run_works_on_comes_last(items: list[Item]) -> None:
    def busy(item: Item, wait: bool) -> Answer:
        if item.name in "ab" and not wait:
            return Answer(None)
        return Answer(Outcome(item.name, "resumed" if wait else "done"))

    pool = Scripted(busy, size=1)
    states, told, _ = run(items, pool)
    assert pool.given[4:] == [("a", True), ("b", True)]
    assert dict(states) == {"a": "resumed", "b": "resumed", "c": "done", "d": "done"}
    assert [one.stage for one in told[2:4]] == ["1 of 4", "2 of 4, waiting for another run"]
