"""Sums of Python floats without rounding on the way, so that their order means nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable


def exact_sum(parts: Iterable[float]) -> float:
    """The sum, rounded once (Shewchuk's algorithm); infinite when float64 cannot hold it."""
    try:
        return math.fsum(parts)
    except (OverflowError, ValueError):  # ValueError: infinities of both signs
        return math.inf
