"""A function over many items in threads, with its results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def sweep(
    items: Iterable[_Item], function: Callable[[_Item], _Result], jobs: int
) -> Iterator[tuple[_Item, _Result]]:
    """``function`` of every item, in the order of the items; at most 2 · ``jobs`` are ahead."""
    if jobs == 1:
        for item in items:
            yield item, function(item)
        return
    pending: deque[tuple[_Item, Future[_Result]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for item in items:
                pending.append((item, pool.submit(function, item)))
                if len(pending) == 2 * jobs:
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            for _, future in pending:
                future.cancel()
