"""Exactly k of many units, without holding them: keys are narrowed down 16 bits a sweep.

A sweep counts the keys whose upper bits are known by their next 16 bits; the digit in which the
k-th smallest falls is the next piece of it. When the whole key is known, one more sweep counts the
units that have exactly this key, for only some of them may go: the order among equals is tensor
name, then index in the tensor, and the later goes first.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels import ranking
from compress_core.passes.base import Settled, Survey, Target
from compress_core.passes.prune.counting import share
from compress_core.passes.prune.units import Scoring, count_units
from compress_core.tensors import TensorInfo
from compress_core.tiles import Tile


@dataclass(frozen=True)
class _Selection(Settled):
    scoring: Scoring

    def apply(self, tile: Tile) -> None:
        tile.prune(self.scoring.expanded(self.chosen(tile), tile))

    @abstractmethod
    def chosen(self, tile: Tile) -> NDArray[np.bool_]:
        """Mask of the tile's units that go."""


@dataclass(frozen=True)
class ShareOfRow(_Selection):
    """The same share of the units of every row."""

    sparsity: float

    def chosen(self, tile: Tile) -> NDArray[np.bool_]:
        keys = self.scoring.keys(tile)
        return ranking.smallest(keys, share(self.sparsity, keys.shape[1]))


@dataclass(frozen=True)
class KeepOfEach(_Selection):
    """All but N of each M consecutive columns."""

    def chosen(self, tile: Tile) -> NDArray[np.bool_]:
        structure = self.scoring.structure
        return ranking.smallest_of_groups(
            self.scoring.keys(tile), structure.height, structure.width
        )


@dataclass(frozen=True)
class UpToThreshold(_Selection):
    """Every unit whose magnitude or norm does not exceed a threshold."""

    threshold: float

    def chosen(self, tile: Tile) -> NDArray[np.bool_]:
        return np.asarray(self.scoring.keys(tile) <= self.scoring.threshold_key(self.threshold))


@dataclass(frozen=True)
class AllOrNone(_Selection):
    """A share so small or so large that no data decides."""

    everything: bool

    def chosen(self, tile: Tile) -> NDArray[np.bool_]:
        return np.full(self.scoring.keys(tile).shape, self.everything)


@dataclass(frozen=True)
class Ties:
    """Which of a tensor's units with exactly the bounding key go: those from the ``first``-th on.

    :ivar before: such units before each grain of the tensor.
    """

    first: int
    before: tuple[int, ...]


@dataclass(frozen=True)
class BelowKey(_Selection):
    """Every unit with a key below ``bound``, and of those equal to it what ``ties`` says.

    A tensor that ``ties`` does not name loses all of them.

    :ivar units: tensor → how many of its units go, where that was counted.
    """

    bound: int
    ties: dict[str, Ties]
    units: dict[str, int] = field(default_factory=dict)

    def removed(self, info: TensorInfo) -> int | None:
        # larger units need not have the same size, at the edge
        return self.units.get(info.name) if self.scoring.structure.kind == "element" else None

    def chosen(self, tile: Tile) -> NDArray[np.bool_]:
        keys = self.scoring.keys(tile)
        ties = self.ties.get(tile.info.name)
        before = 0 if ties is None else ties.first - ties.before[tile.start // tile.grain]
        return ranking.below(keys, self.bound, max(before, 0))


class Narrowing(Survey):
    """A survey on the way to the k-th smallest key."""

    @abstractmethod
    def next(self) -> Narrowing | None:
        """The survey that is needed after this one; ``None``: enough is known."""

    @abstractmethod
    def settled(self, scoring: Scoring, targets: Sequence[Target]) -> Settled:
        """The selection, once ``next`` is ``None``."""


class Digits(Narrowing):
    """Count by the next 16 bits the keys whose top ``known`` bits are ``prefix``.

    :param k: how many of those keys go.
    """

    def __init__(self, scoring: Scoring, k: int, prefix: int = 0, known: int = 0) -> None:
        self._scoring = scoring
        self._k = k
        self._prefix = prefix
        self._known = known
        self._counts = np.zeros(1 << 16, dtype=np.int64)

    def observe(self, tile: Tile) -> NDArray[np.int64]:
        keys = self._scoring.keys(tile)
        return ranking.digit_histogram(keys, self._scoring.width, self._prefix, self._known)

    def absorb(self, info: TensorInfo, start: int, partial: NDArray[np.int64]) -> None:
        self._counts += partial

    def next(self) -> Narrowing | None:
        digit, rest = self._digit()
        prefix, known = self._prefix << 16 | digit, self._known + 16
        if rest == self._counts[digit]:
            return None
        if known < self._scoring.width:
            return Digits(self._scoring, rest, prefix, known)
        return CountTies(self._scoring, rest, prefix)

    def settled(self, scoring: Scoring, targets: Sequence[Target]) -> Settled:
        digit, _ = self._digit()
        unknown = scoring.width - self._known - 16
        bound = (((self._prefix << 16 | digit) + 1) << unknown) - 1
        return BelowKey(scoring, bound, {})

    def _digit(self) -> tuple[int, int]:
        """The digit of the k-th smallest key, and how many of the keys that have it go."""
        upto = np.cumsum(self._counts)
        digit = int(np.searchsorted(upto, self._k))
        return digit, self._k - int(upto[digit] - self._counts[digit])


class CountTies(Narrowing):
    """Count, grain by grain, the units whose key is exactly ``bound``, of which ``k`` go; and those
    below it, which all go.
    """

    def __init__(self, scoring: Scoring, k: int, bound: int) -> None:
        self._scoring = scoring
        self._k = k
        self._bound = bound
        self._counts: dict[str, list[int]] = {}
        self._below: dict[str, int] = {}

    def observe(self, tile: Tile) -> tuple[list[int], int]:
        keys = self._scoring.keys(tile)
        bound = keys.dtype.type(self._bound)
        equal = keys == bound
        height = self._scoring.structure.height if self._scoring.structure.kind == "block" else 1
        grain = tile.grain // height
        firsts = range(0, len(equal), grain)
        ties = [int(np.count_nonzero(equal[first : first + grain])) for first in firsts]
        return ties, int(np.count_nonzero(keys < bound))

    def absorb(self, info: TensorInfo, start: int, partial: tuple[list[int], int]) -> None:
        ties, below = partial
        self._counts.setdefault(info.name, []).extend(ties)
        self._below[info.name] = self._below.get(info.name, 0) + below

    def next(self) -> Narrowing | None:
        return None

    def settled(self, scoring: Scoring, targets: Sequence[Target]) -> Settled:
        ties, units, left = {}, dict(self._below), self._k
        for name in sorted(self._counts, reverse=True):
            counts = self._counts[name]
            total = sum(counts)
            if total > left:
                before = tuple(int(count) for count in np.cumsum([0, *counts[:-1]]))
                ties[name] = Ties(total - left, before)
            units[name] += min(left, total)
            left -= min(left, total)
        return BelowKey(scoring, self._bound, ties, units)


def first_survey(scoring: Scoring, targets: Sequence[Target], sparsity: float) -> Survey | None:
    """The first survey for a share of all units of ``targets``; ``None`` when none is needed."""
    count = count_units(targets, scoring.structure)
    k = share(sparsity, count)
    return Digits(scoring, k) if 0 < k < count else None


def settle(
    scoring: Scoring, targets: Sequence[Target], sparsity: float, found: Survey | None
) -> Settled:
    """The selection of a share of all units of ``targets`` after its last survey."""
    if isinstance(found, Narrowing):
        return found.settled(scoring, targets)
    return AllOrNone(scoring, share(sparsity, count_units(targets, scoring.structure)) > 0)


class ColumnScores(Survey):
    """Norms of whole columns, added up grain by grain."""

    def __init__(self, scoring: Scoring) -> None:
        self._scoring = scoring
        self._sums: dict[str, NDArray[np.float64]] = {}

    def observe(self, tile: Tile) -> list[NDArray[np.float64]]:
        return [self._grain(tile.values[at : at + tile.grain]) for at in tile.grains()]

    def _grain(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        from compress_core.kernels.sums import ordered_sum

        if self._scoring.norm == "max":
            return np.asarray(np.abs(values).max(axis=0, initial=0), dtype=np.float64)
        columns = np.ascontiguousarray(values.T)
        if self._scoring.norm == "l1":
            return ordered_sum(np.abs(columns))
        return ordered_sum(np.square(columns, dtype=np.float64))

    def absorb(self, info: TensorInfo, start: int, partial: list[NDArray[np.float64]]) -> None:
        for grain in partial:
            so_far = self._sums.get(info.name, np.zeros_like(grain))
            together = np.maximum if self._scoring.norm == "max" else np.add
            self._sums[info.name] = together(so_far, grain)

    def settle(
        self, targets: Sequence[Target], sparsity: float | None, threshold: float | None
    ) -> Settled:
        """The columns of each tensor that go."""
        names = sorted(target.info.name for target in targets)
        keys = [self._keys(name) for name in names]
        if threshold is not None:
            chosen = np.concatenate(keys) <= self._scoring.threshold_key(threshold)
        else:
            every = np.concatenate(keys)[None, :]
            chosen = ranking.smallest(every, share(sparsity or 0.0, every.shape[1]))[0]
        ends = np.cumsum([len(key) for key in keys])
        return Columns(dict(zip(names, np.split(chosen, ends[:-1]), strict=True)))

    def _keys(self, name: str) -> NDArray[Any]:
        scores = self._sums[name]
        keys = self._scoring.of_scores(np.sqrt(scores) if self._scoring.norm == "l2" else scores)
        return keys if self._scoring.seed is None else self._scoring.hashed(keys, name, 0)


@dataclass(frozen=True)
class Columns(Settled):
    """Whole columns, chosen beforehand."""

    chosen: dict[str, NDArray[np.bool_]]

    def apply(self, tile: Tile) -> None:
        tile.prune(np.broadcast_to(self.chosen[tile.info.name], tile.raw.shape))
