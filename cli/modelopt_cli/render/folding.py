"""Many tensors on few lines: layers that differ only by number are one group."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_SMALL = 1024**2 // 100
_FEW = 24


@dataclass(frozen=True)
class Group(Generic[T]):
    """Tensors that share a line of a table."""

    label: str
    members: tuple[T, ...]


def short(name: str) -> str:
    """A tensor's name without the ``.weight`` that nearly all have."""
    return name.removesuffix(".weight") or '""'


def pattern_of(name: str) -> str:
    """``layers.0.mlp.up_proj.weight`` → ``layers.*.mlp.up_proj``."""
    return ".".join("*" if part.isdecimal() else part for part in short(name).split("."))


def unfolded(items: Iterable[T], name: Callable[[T], str]) -> list[Group[T]]:
    """One group a tensor, under its full name."""
    return [Group(name(item) or '""', (item,)) for item in items]


def folded(
    items: Iterable[T],
    name: Callable[[T], str],
    kind: Callable[[T], Hashable],
    size: Callable[[T], int],
    small_kind: Callable[[T], Hashable] | None = None,
) -> list[Group[T]]:
    """Groups in the order of their first tensor; small ones of a kind share one line at the end.

    :param kind: what the members of a group have in common besides the pattern of their name.
    :param size: bytes of a tensor.
    :param small_kind: what small groups on one line have in common; ``kind`` if not given.
    """
    found: dict[tuple[str, Hashable], list[T]] = {}
    for item in items:
        found.setdefault((pattern_of(name(item)), kind(item)), []).append(item)
    groups = [
        Group(short(name(members[0])) if len(members) == 1 else label, tuple(members))
        for (label, _), members in found.items()
    ]
    small = [group for group in groups if sum(map(size, group.members)) < _SMALL]
    if len(small) == len(groups) <= _FEW:  # there is nothing they would be in the way of
        return groups
    return _gathered(groups, small, small_kind or kind)


def _gathered(
    groups: list[Group[T]], small: list[Group[T]], kind: Callable[[T], Hashable]
) -> list[Group[T]]:
    by_kind: dict[Hashable, list[Group[T]]] = {}
    for group in small:
        by_kind.setdefault(kind(group.members[0]), []).append(group)
    crowds = [alike for alike in by_kind.values() if len(alike) > 1]
    gone = {id(group) for alike in crowds for group in alike}
    return [group for group in groups if id(group) not in gone] + [
        _crowd(alike) for alike in crowds
    ]


def _crowd(groups: list[Group[T]]) -> Group[T]:
    members = tuple(member for group in groups for member in group.members)
    return Group(f"{len(groups)} groups under 0.01 MiB", members)
