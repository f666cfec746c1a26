"""A share of a batch, for one of several machines."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from compress_core.errors import UsageError
from compress_core.near import shown

_WRITTEN = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """Share ``index`` of ``count``, from 1.

    An item belongs to the share that a hash of its name says: to exactly one, and to the same
    whatever other items there are.

    :raises UsageError: there is no such share.
    """

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise UsageError(
                f"there is no shard {self.index} of {self.count}",
                hint="shards count from 1: --shard 1/3, 2/3, 3/3",
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """``2/3``.

        :raises UsageError: it is not of that form.
        """
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise UsageError(f"{shown(text)} is no shard", hint="--shard 1/3, or --shard auto")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def holds(self, name: str) -> bool:
        """Whether the item of this name belongs to it."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest, "big") % self.count == self.index - 1
