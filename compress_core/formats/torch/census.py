"""How many tensors stand under each container of a value, and that it can be walked at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from compress_core.errors import FormatError
from compress_core.formats.torch.budget import VISIT, Budget
from compress_core.formats.torch.records import CONTAINERS, Tensor

MAX_DEPTH = 100

_OPEN = -1
_MANY = 10**9


@dataclass(frozen=True)
class Tree:
    """A value that was counted through.

    :ivar counts: id of a container → tensors under it, each as often as there are ways to it, and
        10⁹ at most: of forty tuples, each twice in the next, there are 2⁴⁰ ways to the first.
    """

    root: object
    counts: dict[int, int]
    budget: Budget
    where: str

    def tensors(self, value: object) -> int:
        """How many tensors a value of the tree stands for."""
        return 1 if type(value) is Tensor else self.counts.get(id(value), 0)


def count(root: object, budget: Budget, where: str) -> Tree:
    """Count through a value, every container once.

    :raises FormatError: it holds itself, or is nested deeper than 100.
    """
    counts: dict[int, int] = {}
    if type(root) not in CONTAINERS:
        return Tree(root, counts, budget, where)
    path: list[_Step] = [_enter(root, counts, budget)]
    while path:
        step = path[-1]
        inner = _next_container(step, counts, where)
        if inner is not None:
            path.append(_enter(inner, counts, budget))
            check_depth(len(path), where)
            continue
        path.pop()
        counts[step.id] = min(step.tensors, _MANY)
        if path:
            path[-1].tensors += step.tensors
    return Tree(root, counts, budget, where)


def check_depth(depth: int, where: str) -> None:
    """Refuse a container so far inside others."""
    if depth > MAX_DEPTH:
        raise FormatError(f"broken pickle: nested deeper than {MAX_DEPTH}", where=where)


@dataclass
class _Step:
    id: int
    values: Iterator[object]
    tensors: int = 0


def _enter(container: object, counts: dict[int, int], budget: Budget) -> _Step:
    budget.charge(VISIT)
    counts[id(container)] = _OPEN
    return _Step(id(container), iter(_values(container)))


def _next_container(step: _Step, counts: dict[int, int], where: str) -> object:
    """Go on to the next container that was not counted yet; ``None`` at the end."""
    for value in step.values:
        kind = type(value)
        if kind is Tensor:
            step.tensors += 1
        elif kind in CONTAINERS:
            known = counts.get(id(value))
            if known is None:
                return value
            if known == _OPEN:
                raise FormatError("broken pickle: a container holds itself", where=where)
            step.tensors += known
    return None


def _values(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return container.values()
    return container if isinstance(container, (list, tuple)) else ()
