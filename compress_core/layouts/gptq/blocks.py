"""The blocks that a model consists of, by the names of its layers: ``model.layers.0.mlp.up_proj``
is the layer ``mlp.up_proj`` of block 0 in ``model.layers``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

_NUMBER = re.compile(r"(?:^|\.)(\d+)\.")


class Place(NamedTuple):
    """Where a layer is.

    :ivar blocks: name of the list of blocks.
    """

    blocks: str
    number: int
    layer: str


def place_of(module: str) -> Place | None:
    """Where a module is; ``None``: in no block."""
    found = _NUMBER.search(module)
    if found is None:
        return None
    return Place(module[: found.start()], int(found[1]), module[found.end() :])


def only(coded: Sequence[str], dense: Sequence[str]) -> list[str] | None:
    """Names that mean all modules with codes, and no dense one: as short as they can be.

    ``None``: none is needed, since no dense module is in the same blocks. Readers compare ends of
    names (transformers with optimum 2.3), or look for them anywhere in a name (vLLM 0.33). Short
    ones hold under any class that a model is loaded with, whose modules begin otherwise.
    """
    places = {module: place_of(module) for module in coded}
    lists = {place.blocks for place in places.values() if place is not None}
    if not any((at := place_of(module)) and at.blocks in lists for module in dense):
        return None
    layers = dict.fromkeys(module if at is None else at.layer for module, at in places.items())
    numbered = (
        module if at is None else f".{at.number}.{at.layer}" for module, at in places.items()
    )
    choices = (list(layers), list(numbered), list(coded))
    return next((names for names in choices if not _mean_any(names, dense)), choices[-1])


def _mean_any(names: Sequence[str], modules: Sequence[str]) -> bool:
    return any(name in module for module in modules for name in names)
