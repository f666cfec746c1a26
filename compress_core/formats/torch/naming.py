"""Keys of a checkpoint as people write and read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from compress_core.strict_json import shown

KNOWN = (
    *("state_dict", "model_state_dict", "model", "model_state", "module", "net", "network"),
    *("params", "weights", "generator", "ema", "params_ema", "model_ema", "ema_model", "student"),
    *("teacher", "model_weights", "network_state_dict", "ema_state_dict"),
)
"""What trainers call the weights, the most usual first."""


def by_use(keys: Iterable[object]) -> list[object]:
    """The most usual names of weights first, others as they come."""
    order = {name: place for place, name in enumerate(KNOWN)}
    return sorted(keys, key=lambda key: order.get(str(key).lower(), len(order)))


def entries(node: object) -> Iterator[tuple[object, object]]:
    """Keys and values of a container; those of a list are its indices."""
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, (list, tuple)):
        yield from enumerate(node)


def joined(path: Sequence[object]) -> str:
    """A path as it is typed: ``model.ema``."""
    return ".".join(str(key) for key in path)


def label(key: object) -> str:
    """A key in a message: as it is, or quoted when that cannot be printed."""
    text = str(key)
    return text if text.isprintable() and 0 < len(text) <= 60 else shown(text)


def listed(texts: Iterable[str], total: int, at_most: int = 8) -> str:
    """The first of ``total`` texts, and how many more there are; others are never made."""
    said = ", ".join(islice(texts, at_most))
    return f"{said} and {total - at_most:,} more" if total > at_most else said
