"""The groups of an N:M pruned row: whole ones, and a ragged one at the end."""

from __future__ import annotations

from math import comb
from typing import NamedTuple


class Run(NamedTuple):
    """Neighbouring groups of one width.

    :ivar first: first column; ``groups``: how many groups of ``width`` columns follow.
    :ivar kept: elements that each of them keeps.
    """

    first: int
    groups: int
    width: int
    kept: int

    @property
    def patterns(self) -> int:
        """Patterns that a group can have: C(width, kept)."""
        return comb(self.width, self.kept)

    @property
    def rank_bits(self) -> int:
        """Bits that tell the pattern of one group: ceil(log2 C(width, kept)); 3 for 2:4."""
        return (self.patterns - 1).bit_length()


def runs(columns: int, kept: int, width: int) -> list[Run]:
    """The groups of a row of ``columns`` that keeps ``kept`` of each ``width``.

    A ragged last group of r columns keeps min(``kept``, r).
    """
    whole, rest = divmod(columns, width)
    found = [Run(0, whole, width, kept)]
    if rest:
        found.append(Run(whole * width, 1, rest, min(kept, rest)))
    return found
