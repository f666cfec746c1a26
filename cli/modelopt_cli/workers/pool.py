"""As many workers as are wanted; none is left, whatever happens."""

from __future__ import annotations

import selectors
import signal
from dataclasses import dataclass
from typing import Self

from compress_core.batch import Item, Outcome
from compress_core.errors import ModelOptError
from modelopt_cli.workers.orders import Answer, Setup
from modelopt_cli.workers.worker import Worker


@dataclass(frozen=True)
class News:
    """Something about an item that was given away.

    :ivar share: how much of it is written, while it is worked on.
    :ivar answer: what came of it.
    """

    item: Item
    share: float = 0.0
    answer: Answer | None = None


class Pool:
    """Up to ``size`` workers, each started when there is something for it to do."""

    def __init__(self, setup: Setup, size: int) -> None:
        self._setup = setup
        self._size = size
        self._workers: list[Worker] = []

    @property
    def has_room(self) -> bool:
        """Whether an item can be given away."""
        return self._working < self._size

    @property
    def works(self) -> bool:
        """Whether there is anything to wait for."""
        return self._working > 0

    @property
    def _working(self) -> int:
        return sum(worker.item is not None for worker in self._workers)

    def give(self, item: Item, *, wait: bool) -> None:
        """Have a free worker work on an item.

        :param wait: whether it is to wait if another run does.
        """
        worker = next((one for one in self._workers if one.item is None), None)
        if worker is None:
            worker = Worker(self._setup)
            self._workers.append(worker)
        worker.give(item, wait=wait)

    def news(self) -> list[News]:
        """Wait until there is news."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(worker.file, selectors.EVENT_READ, worker)
            ready = [key.data for key, _ in selector.select()]
        return [news for worker in ready for news in self._heard(worker)]

    def _heard(self, worker: Worker) -> list[News]:
        item, lines = worker.item, worker.heard()
        if lines is None:
            self._workers.remove(worker)
            code = worker.wait()
            return [] if item is None else [News(item, answer=_death(item, code))]
        if item is None:
            return []
        news = []
        for line in lines:
            if "answer" in line:
                worker.item = None
                news.append(News(item, answer=Answer.from_json(line)))
            else:
                news.append(News(item, line["progress"]))
        return news

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for worker in self._workers:
            if kind is None:
                worker.end()
            else:
                worker.stop()
        for worker in self._workers:
            worker.wait()


def _death(item: Item, code: int) -> Answer:
    killed = -code == signal.SIGKILL
    error = ModelOptError(
        f"its process was killed by {_name(-code)}" if code < 0 else f"its process ended ({code})",
        where=str(item.source),
        hint="if memory ran out: fewer --jobs, or a lower --max-memory" if killed else None,
    )
    return Answer(Outcome.failed(item.name, error))


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
