"""The best of several sets of parameters, by the squared error of what is decoded with each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.kernels.groups import grouped
from compress_core.kernels.sums import ordered_sum

Parameters = dict[str, NDArray[Any]]

CHUNK = 1 << 15
"""Elements that are tried at once, so that a trial stays in a processor's cache."""


def row_slices(rows: int, columns: int) -> Iterator[slice]:
    """Slices of whole rows, of about ``CHUNK`` elements."""
    step = max(1, CHUNK // max(columns, 1))
    for first in range(0, rows, step):
        yield slice(first, first + step)


def squared_errors(
    values: NDArray[np.float32],
    decoded: NDArray[np.float32],
    kept: NDArray[np.bool_] | None,
    width: int,
) -> NDArray[np.float64]:
    """Σ(value − decoded)² over the kept elements of groups: (rows, columns) → (rows, groups)."""
    with np.errstate(over="ignore"):
        rest = values - decoded
    if kept is not None:
        rest[~kept] = 0
    return ordered_sum(grouped(np.square(rest, dtype=np.float64), width))


def best_trial(
    errors: Callable[[Parameters], NDArray[np.float64]],
    found: Parameters,
    trials: Iterable[Parameters],
) -> Parameters:
    """For each group the parameters of least error; ``found`` and earlier trials among equals.

    :param errors: parameters → (rows, groups).
    :param trials: what takes the place of some of the parameters, in their shape.
    """
    best, least = found, errors(found)
    for changed in trials:
        error = errors(found | changed)
        wins = error < least
        least = np.where(wins, error, least)
        best = best | {name: np.where(wins, one, best[name]) for name, one in changed.items()}
    return best
