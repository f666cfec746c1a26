"""Which tensors of a checkpoint are the weights.

Some files are a state dict: names and tensors. Trainers put it under a key of their choice, beside
the state of the optimizer, counters and settings; some keep several sets of weights. Nothing is
chosen in silence: what was taken and what is left out is said, and where two sets are equally good,
the user has to choose. A key that is not usual is a part of the names, whatever stands beside it.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from itertools import islice

from compress_core.errors import UnsupportedError, UsageError
from compress_core.formats.torch.budget import ENTRY, VISIT
from compress_core.formats.torch.census import Tree
from compress_core.formats.torch.flattening import Flat, flatten
from compress_core.formats.torch.naming import by_use, entries, joined, label, listed
from compress_core.formats.torch.records import CONTAINERS, Tensor
from compress_core.formats.torch.trainers import is_called_state, is_known, is_optimizer, is_state
from compress_core.near import nearest
from compress_core.sizes import human
from compress_core.strict_json import shown

EVERYTHING = "."
"""The key of a whole file, optimizer and all."""

_COMPARED = 1000


@dataclass(frozen=True)
class Chosen:
    """The weights of a checkpoint.

    :ivar tensors: by name, in the order of the file.
    :ivar notes: what was left out.
    """

    tensors: dict[str, Tensor]
    notes: list[str]


def choose(tree: Tree, key: str | None) -> Chosen:
    """The weights: those under ``key``, or the only ones there are.

    :param key: a path such as ``model.ema``; ``"."`` is the whole file.
    :raises UsageError: nothing that holds tensors has this key; the hint says what there is.
    :raises UnsupportedError: there are no tensors, several sets of weights, or none.
    """
    if not tree.tensors(tree.root):
        raise _no_tensors(tree)
    if key == EVERYTHING:
        flat = flatten(tree, tree.root, lambda _key, _value: False)
        return Chosen(flat.tensors, _others(flat))
    place = _Place(tree) if key is None else _find(tree, key)
    while (inner := _inner(place)) is not None:
        place.enter(inner)
    skipped = _state(place, is_named=key is not None)
    flat = flatten(tree, place.node, lambda one, _value: one in skipped)
    why = "not weights" if key is None else "not under this key"
    notes = [*_taken(place, key), *_outside(place, flat, why), *_others(flat)]
    return Chosen(flat.tensors, notes)


class _Place:
    """Where the search has come to.

    :ivar path: keys from the root to ``node``.
    :ivar outside: path and value of the entries that were passed by.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.node = tree.root
        self.path: list[object] = []
        self.outside: list[tuple[str, object]] = []

    def enter(self, key: object) -> None:
        """Go down to an entry."""
        inside: object = None
        for one, value in entries(self.node):
            if one == key:
                inside = value
            else:
                self._pass_by(one, value)
        self.node = inside
        self.path.append(key)

    def leave(self, keys: set[object]) -> None:
        """Pass by some entries."""
        for one, value in entries(self.node):
            if one in keys:
                self._pass_by(one, value)

    def _pass_by(self, key: object, value: object) -> None:
        name = joined([*self.path, key])
        self.tree.budget.charge(VISIT + sys.getsizeof(name))
        self.outside.append((name, value))


def _inner(place: _Place) -> object | None:
    """The key to go down to, ``None`` where the weights begin.

    :raises UnsupportedError: there are several.
    """
    tree, node = place.tree, place.node
    if not isinstance(node, dict):
        return None
    direct = sum(type(value) is Tensor for value in node.values())
    inside: dict[object, int] = {}
    for key, value in node.items():
        if type(value) in CONTAINERS and tree.tensors(value) and not is_state(value):
            tree.budget.charge(ENTRY)
            inside[key] = tree.tensors(value)
    known = [key for key in inside if is_known(key)]
    if not known or (2 * direct > len(node) and direct >= max(inside.values())):
        return None
    sets = [key for key in inside if not is_called_state(key)]
    if len(sets) > 1:
        raise _several(place, {key: inside[key] for key in sets})
    return known[0]


def _state(place: _Place, *, is_named: bool) -> set[object]:
    """Pass by what is no weights among the entries here; its keys.

    :param is_named: the user named a key. If nothing but state is there, it is meant.
    :raises UnsupportedError: nothing but state is there, and nobody asked for it.
    """
    if is_optimizer(place.node):
        if not is_named:
            raise _optimizer(place.tree.where)
        return set()
    state = _built_as_state(place)
    if not _is_all_state(place, state):
        place.leave(state)
        return state
    if not is_named:
        raise _only_state(place)
    return set()


def _built_as_state(place: _Place) -> set[object]:
    """Keys of what is the state of an optimizer, whatever it is called."""
    found: set[object] = set()
    for one, value in entries(place.node):
        if place.tree.tensors(value) and is_state(value):
            place.tree.budget.charge(ENTRY)
            found.add(one)
    return found


def _is_all_state(place: _Place, built: set[object]) -> bool:
    if type(place.node) is Tensor:
        return False
    holding = (one for one, value in entries(place.node) if place.tree.tensors(value))
    return all(one in built or is_called_state(one) for one in holding)


def _find(tree: Tree, key: str) -> _Place:
    """The place that a key names. Keys may hold dots themselves: the longest that fits is meant."""
    place, rest = _Place(tree), key
    while rest:
        fitting = [
            (one, value)
            for one, value in entries(place.node)
            if rest == str(one) or rest.startswith(f"{one}.")
        ]
        if not fitting:
            raise _unknown(place, key, rest)
        found, value = max(fitting, key=lambda item: len(str(item[0])))
        if not tree.tensors(value):
            raise _unknown(place, key, rest)
        place.enter(found)
        rest = rest[len(str(found)) + 1 :]
    if not place.path:
        raise _unknown(place, key, rest)
    return place


def _unknown(place: _Place, key: str, rest: str) -> UsageError:
    tree, path = place.tree, place.path
    names = _names(place)
    close = nearest(joined([*path, rest]), names, 1)
    there = f"there is {listed(map(label, names), len(names))}"
    hint = f"did you mean --key {_typed(close[0])}?" if close else there
    if type(place.node) is Tensor:
        hint = f"that is a tensor itself: --key {_typed(joined(path))}"
    inside = f" in {shown(joined(path))}" if path else ""
    said = f"key {shown(key)}: nothing{inside} that holds tensors is called {shown(rest)}"
    return UsageError(said, where=tree.where, hint=hint)


def _names(place: _Place) -> list[str]:
    """What may be typed to go on from here."""
    holding = (one for one, value in entries(place.node) if place.tree.tensors(value))
    return [joined([*place.path, one]) for one in islice(by_use(holding), _COMPARED)]


def _several(place: _Place, inside: dict[object, int]) -> UnsupportedError:
    order = by_use(inside)
    sets = (f"{label(joined([*place.path, key]))} ({_tensors(inside[key])})" for key in order)
    best = _typed(joined([*place.path, order[0]]))
    return UnsupportedError(
        f"several sets of weights: {listed(sets, len(order))}",
        where=place.tree.where,
        hint=f"choose one: --key {best}; or take all: --key {EVERYTHING}",
    )


def _only_state(place: _Place) -> UnsupportedError:
    names = _names(place)
    return UnsupportedError(
        f"no weights: tensors are only in {listed(map(label, names), len(names))}",
        where=place.tree.where,
        hint=f"if those are meant: --key {_typed(names[0])}",
    )


def _optimizer(where: str) -> UnsupportedError:
    return UnsupportedError(
        "the state of an optimizer, not weights",
        where=where,
        hint=f"if that is meant: --key {EVERYTHING}",
    )


def _no_tensors(tree: Tree) -> UnsupportedError:
    root = tree.root if isinstance(tree.root, dict) else {}
    said = f": {listed(map(label, root), len(root))}" if root else ""
    return UnsupportedError(
        f"it holds no tensors{said}", where=tree.where, hint="save model.state_dict()"
    )


def _tensors(number: int) -> str:
    return "1 tensor" if number == 1 else f"{number:,} tensors"


def _typed(key: str) -> str:
    return shlex.quote(key) if key.isprintable() else shown(key)


def _taken(place: _Place, key: str | None) -> list[str]:
    """Where the weights were found, if that is not what the user named."""
    found = joined(place.path)
    return [f"weights taken from: {label(found)}"] if place.path and found != key else []


def _others(flat: Flat) -> list[str]:
    if not flat.others:
        return []
    more = flat.others - len(flat.examples)
    names = ", ".join(flat.examples) + (f" and {more:,} more" if more else "")
    return [f"not tensors, and left out: {names}"]


def _outside(place: _Place, flat: Flat, why: str) -> list[str]:
    if not place.outside:
        return []
    seen = {tensor.storage.key for tensor in flat.tensors.values()}
    sizes = [(_own_bytes(place.tree, value, seen), name) for name, value in place.outside]
    sizes.sort(key=lambda one: -one[0])
    total = sum(size for size, _ in sizes)
    share = f" ({human(total)} of the file)" if total else ""
    said = (f"{label(name)} ({human(size)})" if size else label(name) for size, name in sizes)
    return [f"{why}, and left out{share}: {listed(said, len(sizes))}"]


def _own_bytes(tree: Tree, value: object, seen: set[str]) -> int:
    """Bytes of the storages under ``value`` that are not in ``seen``; they are put there."""
    total, waiting, entered = 0, [value], set()
    while waiting:
        one = waiting.pop()
        if type(one) is Tensor:
            if one.storage.key not in seen:
                seen.add(one.storage.key)
                total += one.storage.nbytes
        elif id(one) not in entered and tree.tensors(one):
            tree.budget.charge(VISIT)
            entered.add(id(one))
            waiting.extend(inner for _, inner in entries(one))
    return total
