"""A batch under way: which item is next, when to stop, how far it is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from compress_core import Progress
from compress_core.batch import Item, Outcome
from compress_core.fingerprint import bytes_at
from modelopt_cli.workers.pool import News, Pool

_MEANWHILE = "another run was working on it"


class Batching:
    """Gives items to workers until all are done, or one has failed.

    :param keep_going: whether to go on then.
    :param progress: told often, with the bytes of the inputs that are done.
    :ivar tracebacks: of bugs.
    """

    def __init__(
        self,
        items: Sequence[Item],
        pool: Pool,
        *,
        keep_going: bool,
        progress: Callable[[Progress], None],
    ) -> None:
        self._items = items
        self._pool = pool
        self._keep_going = keep_going
        self._progress = progress
        self._next = deque(items)
        self._busy: deque[Item] = deque()
        self._waited: set[str] = set()
        self._stopped = False
        self._outcomes: dict[str, Outcome] = {}
        self._sizes = {item.name: bytes_at(item.source) for item in items}
        self._total = sum(self._sizes.values())
        self._read = 0
        self._shares: dict[str, float] = {}
        self.tracebacks: list[str] = []

    def run(self) -> tuple[Outcome, ...]:
        """Everything; the outcomes in the order of the items."""
        while self._hand_out():
            for news in self._pool.news():
                self._take(news)
            self._progress(self._state())
        return tuple(
            self._outcomes.get(item.name, Outcome(item.name, "skipped")) for item in self._items
        )

    def _hand_out(self) -> bool:
        """Give away what can be given away; whether there is anything to wait for."""
        while self._pool.has_room and not self._stopped and (self._next or self._busy):
            # what another run works on comes last: it may be done by then
            wait = not self._next
            item = self._busy.popleft() if wait else self._next.popleft()
            self._pool.give(item, wait=wait)
        return self._pool.works

    def _take(self, news: News) -> None:
        name, answer = news.item.name, news.answer
        if answer is None:
            self._shares[name] = news.share
            return
        self._shares.pop(name, None)
        if answer.outcome is None:
            self._busy.append(news.item)
            self._waited.add(name)
            return
        self._end(answer.outcome)
        if answer.traceback is not None:
            self.tracebacks.append(answer.traceback)

    def _end(self, outcome: Outcome) -> None:
        name = outcome.item
        if name in self._waited:
            self._waited.remove(name)
            outcome = replace(outcome, notes=(_MEANWHILE, *outcome.notes))
        self._outcomes[name] = outcome
        self._read += self._sizes[name]
        self._stopped |= outcome.state == "failed" and not self._keep_going

    def _state(self) -> Progress:
        said = f"{len(self._outcomes)} of {len(self._items)}"
        if self._waited and not self._next:
            said += ", waiting for another run"
        current = sum(int(share * self._sizes[name]) for name, share in self._shares.items())
        return Progress(said, self._read + current, self._total)
