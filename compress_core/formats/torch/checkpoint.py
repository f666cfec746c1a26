"""What both kinds of PyTorch files come to: a value, and where its storages are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from compress_core.formats.torch.budget import Budget


@dataclass(frozen=True)
class Checkpoint:
    """A file whose pickle was read, and whose data were not.

    :ivar root: what was saved.
    :ivar starts: key of a storage → byte of the file where its data begin.
    :ivar swapped: whether its data are big-endian.
    :ivar budget: what is left of it.
    :ivar stored: bytes of all its storages.
    """

    root: object
    starts: Mapping[str, int]
    swapped: bool
    budget: Budget
    stored: int
