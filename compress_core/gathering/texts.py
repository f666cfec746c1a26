"""Texts that a model is run over: which are held out, and which run together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from compress_core.errors import FormatError, InputError
from compress_core.inputs import read_small

Tokens = tuple[int, ...]

_MOST = 1 << 30
"""Bytes of a file of texts: what is read is in memory."""


@dataclass(frozen=True)
class Batch:
    """Texts of one length, so that none of them is padded.

    :ivar held_out: whether they are held out: all of them, or none.
    """

    tokens: tuple[Tokens, ...]
    held_out: bool


@dataclass(frozen=True)
class Texts:
    """The texts of a file.

    :ivar held_out: for each, whether it is held out.
    """

    lines: tuple[str, ...]
    held_out: tuple[bool, ...]

    @classmethod
    def read(cls, path: Path, share: float) -> Texts:
        """One text a line, in UTF-8; lines of nothing but spaces are none.

        Held-out texts are spread evenly: with a share of 1/5 the fifth, the tenth, and so on.

        :raises InputError: the file cannot be read, or holds too few texts for two parts.
        """
        try:
            said = read_small(path, "texts", _MOST).decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError("the texts are not UTF-8", where=str(path)) from None
        lines = tuple(line for line in said.split("\n") if line.strip())
        part = Fraction(str(share))
        held_out = tuple(int((at + 1) * part) > int(at * part) for at in range(len(lines)))
        if not lines or (share and not any(held_out)):
            least = -(-part.denominator // part.numerator) if share else 1
            raise InputError(
                f"{len(lines)} texts are too few: {least} or more are wanted, one a line",
                where=str(path),
                hint="--held-out 0 holds none out" if lines else None,
            )
        return cls(lines, held_out)

    @property
    def held_out_count(self) -> int:
        """How many are held out."""
        return sum(self.held_out)

    def batches(self, tokens: Sequence[Tokens], size: int) -> list[Batch]:
        """All texts that have tokens, in an order that the file alone decides.

        :param tokens: of each text.
        :param size: texts of a batch, at the most.
        """
        order = sorted(range(len(tokens)), key=lambda at: (self.held_out[at], len(tokens[at]), at))
        alike = groupby(order, key=lambda at: (self.held_out[at], len(tokens[at])))
        return [
            Batch(tuple(tokens[at] for at in part), held_out)
            for (held_out, length), found in alike
            if length
            for part in _parts(list(found), size)
        ]


def _parts(items: list[int], size: int) -> Iterator[list[int]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]
