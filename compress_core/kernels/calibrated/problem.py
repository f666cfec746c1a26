"""What a method of pruning is given: rows of weights, and how many of them go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels import floats, ranking

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class Choice(Protocol):
    """How many elements of a row go, and in what pattern."""

    @property
    def span(self) -> int | None:
        """Consecutive columns that are chosen among for themselves; ``None``: the whole row."""

    def count(self, columns: int) -> int:
        """How many of the first ``columns`` elements of a row go."""

    def pruned(self, scores: Floats, gone: int) -> Mask:
        """Mask of what goes by scores of (rows, columns), the smallest first.

        :param gone: how many go of each row, where no pattern says it.
        """


@dataclass(frozen=True)
class SmallestOfRow:
    """The smallest of each row.

    :ivar counts: number of columns → how many of them go.
    """

    counts: Callable[[int], int]
    span: None = None

    def count(self, columns: int) -> int:
        return self.counts(columns)

    def pruned(self, scores: Floats, gone: int) -> Mask:
        return ranking.smallest(floats.float_keys(scores), gone)


@dataclass(frozen=True)
class KeepOfEach:
    """All but ``kept`` of each ``span`` consecutive columns."""

    kept: int
    span: int

    def count(self, columns: int) -> int:
        whole, rest = divmod(columns, self.span)
        return columns - whole * self.kept - min(self.kept, rest)

    def pruned(self, scores: Floats, gone: int) -> Mask:
        return ranking.smallest_of_groups(floats.float_keys(scores), self.kept, self.span)


@dataclass(frozen=True)
class Problem:
    """Rows to be pruned.

    :ivar weights: (rows, columns), zero where ``gone`` is true.
    :ivar gone: what was pruned before and stays so; ``None``: nothing.
    """

    weights: Floats
    gone: Mask | None
    choice: Choice

    @property
    def columns(self) -> int:
        """Columns of the matrix."""
        return int(self.weights.shape[1])

    def pruned(self, scores: Floats) -> Mask:
        """Mask of what goes by scores (rows, columns): what is gone already counts, and first."""
        return self._joined(self.choice.pruned(self._cleared(scores), self._all), slice(None))

    def pruned_between(self, scores: Floats, first: int) -> Mask:
        """The same for some of the columns, from ``first`` on: their part of all that go."""
        own = slice(first, first + scores.shape[1])
        part = self.choice.count(own.stop) - self.choice.count(first)
        return self._joined(self.choice.pruned(self._cleared(scores, own), part), own)

    def pruned_partly(self, scores: Floats, share: float) -> Mask:
        """The same for a share of all that go: of those that would go by now, the smallest."""
        gone = self.pruned(scores)
        keys = floats.float_keys(np.where(gone, self._cleared(scores), np.float32(np.inf)))
        return self._joined(ranking.smallest(keys, round(self._all * share)), slice(None))

    @property
    def _all(self) -> int:
        return self.choice.count(self.columns)

    def _cleared(self, scores: Floats, own: slice = slice(None)) -> Floats:
        return scores if self.gone is None else np.where(self.gone[:, own], np.float32(0), scores)

    def _joined(self, mask: Mask, own: slice) -> Mask:
        return mask if self.gone is None else mask | self.gone[:, own]


@dataclass(frozen=True)
class Pruned:
    """What a method made of rows.

    :ivar values: new values, zero where ``gone`` is true.
    """

    values: Floats
    gone: Mask


def without(values: Floats, gone: Mask) -> Floats:
    """``values``, zero where they are pruned."""
    return np.where(gone, np.float32(0), values)
