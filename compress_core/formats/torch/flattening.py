"""From nested containers of tensors to names with dots."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from compress_core.errors import FormatError, UnsupportedError
from compress_core.formats.torch.budget import ITEM, NAMED
from compress_core.formats.torch.census import Tree, check_depth
from compress_core.formats.torch.naming import entries, label
from compress_core.formats.torch.records import CONTAINERS, Tensor
from compress_core.strict_json import is_text, shown

_RESERVED = "__metadata__"
"""What no tensor of a safetensors file may be called."""

_KEPT = 5


@dataclass
class Flat:
    """Tensors by name, and what stood among them.

    :ivar others: how many entries are no tensors and hold none.
    :ivar examples: the names of some of them.
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    others: int = 0
    examples: list[str] = field(default_factory=list)

    def leave_out(self, name: str) -> None:
        """Count an entry that is no tensor."""
        self.others += 1
        if len(self.examples) < _KEPT:
            self.examples.append(label(name))


def flatten(tree: Tree, node: object, is_skipped: Callable[[object, object], bool]) -> Flat:
    """All tensors under ``node``: ``encoder.weight``, ``params.0``.

    :param is_skipped: whether an entry of ``node`` itself is left alone.
    :raises FormatError: two have one name.
    :raises UnsupportedError: a name that safetensors cannot hold, or too many tensors.
    """
    flat = Flat()
    if type(node) is Tensor:
        flat.tensors["tensor"] = node
        return flat
    path = [_open(tree, "", (one for one in entries(node) if not is_skipped(*one)), node)]
    while path:
        prefix, items = path[-1]
        for key, value in items:
            name = _name(tree, prefix, key)
            if type(value) is Tensor:
                _add(flat, name, value, tree)
            elif type(value) in CONTAINERS and tree.tensors(value):
                check_depth(len(path), tree.where)
                path.append(_open(tree, f"{name}.", entries(value), value))
                break
            else:
                flat.leave_out(name)
        else:
            path.pop()
    return flat


_Items = Iterator[tuple[object, object]]


def _open(tree: Tree, prefix: str, items: _Items, container: object) -> tuple[str, _Items]:
    """A container is walked through as often as there are ways to it: each time has its price."""
    length = len(container) if isinstance(container, (dict, list, tuple)) else 0
    tree.budget.charge(ITEM * length + sys.getsizeof(prefix))
    return prefix, items


def _name(tree: Tree, prefix: str, key: object) -> str:
    name = f"{prefix}{key}"
    if len(name) > 1000:  # a short one is part of the price of its tensor
        tree.budget.charge(sys.getsizeof(name))
    return name


def _add(flat: Flat, name: str, tensor: Tensor, tree: Tree) -> None:
    tree.budget.charge(NAMED)
    if name in flat.tensors:
        raise FormatError(f"two tensors have the name {shown(name)}", where=tree.where)
    if not is_text(name) or name == _RESERVED:
        said = f"a tensor has the name {shown(name)}, which safetensors cannot hold"
        raise UnsupportedError(said, where=tree.where)
    flat.tensors[name] = tensor
