"""Every configuration of every pass, made from the pass's own options."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

from hypothesis import strategies as st

from compress_core import registry
from compress_core.errors import UsageError
from compress_core.fields import Option, Scalar, options_of
from compress_core.passes.base import Pass

Config = dict[str, Scalar]

PASSES: dict[str, type[Pass]] = registry.all_of("passes")
_COUNTS = (0, 1, 2, 3, 4, 5, 8, 16, 128)


def tried(described: Option) -> list[Scalar]:
    """Values worth trying: every word, the ends of a range and some numbers in it."""
    found: list[Scalar] = list(described.choices)
    if described.type is bool:
        return [False, True]
    found += [word for word in _examples(described) if _fits(described, word)]
    low = 0 if described.minimum is None else described.minimum
    if described.type is int:
        high = 2**62 if described.maximum is None else described.maximum
        found += [int(low), *(n for n in _COUNTS if low < n < high), int(high)]
    if described.type is float:
        high = low + 0.2 if described.maximum is None else described.maximum
        found += [low + (high - low) * part for part in (0.0, 0.3, 0.5, 0.9, 1.0)]
    return list(dict.fromkeys(found))


def _examples(described: Option) -> Iterator[str]:
    """Words that the examples show, and the same with smaller and larger numbers in them."""
    for example in described.examples:
        word = example.split()[0]
        yield word
        for numbers in itertools.product(
            ("0", "1", "3", "8"), repeat=len(re.findall(r"\d+", word))
        ):
            given = iter(numbers)
            yield re.sub(r"\d+", lambda _: next(given), word)  # noqa: B023


def _fits(described: Option, word: str) -> bool:
    try:
        described.check("", word)
    except UsageError:
        return False
    return True


def accepted(cls: type[Pass], config: Config) -> bool:
    """Whether these options go together."""
    try:
        cls.from_config(config)
    except UsageError:
        return False
    return True


@cache
def covering(cls: type[Pass]) -> list[Config]:
    """Configurations in which every tried value of every option occurs that can occur at all."""
    random = Random(cls.id)
    options = {name: tried(described) for name, (described, _) in options_of(cls).items()}
    pairs = [(name, value) for name, values in options.items() for value in values]
    found: list[Config] = []
    covered: set[tuple[str, Scalar]] = set()
    for name, value in pairs:
        if (name, value) not in covered:
            config = _with(name, value, cls, options, random)
            if config is not None:
                found.append(config)
                covered |= set(config.items())
    return found


def _with(
    name: str,
    value: Scalar,
    cls: type[Pass],
    options: dict[str, list[Scalar]],
    random: Random,
) -> Config | None:
    for _ in range(2000):
        others = [other for other in options if other != name and random.random() < 0.4]
        config = {name: value, **{other: random.choice(options[other]) for other in others}}
        if accepted(cls, config):
            return config
    return None


@cache
def alone(cls: type[Pass]) -> list[Config]:
    """Every tried value of every option that says enough by itself."""
    options = {name: tried(described) for name, (described, _) in options_of(cls).items()}
    single = [{name: value} for name, values in options.items() for value in values]
    return [config for config in single if accepted(cls, config)]


def configs(cls: type[Pass]) -> st.SearchStrategy[Config]:
    """Any options that go together: those of a covering one, and others where they fit."""
    options = {name: _values(described) for name, (described, _) in options_of(cls).items()}

    def joined(base: Config, others: Config) -> Config:
        for name, value in others.items():
            if accepted(cls, {**base, name: value}):
                base = {**base, name: value}
        return base

    others = st.lists(st.sampled_from(sorted(options)), unique=True, max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: options[name] for name in names})
    )
    return st.builds(joined, st.sampled_from(covering(cls)), others)


def _values(described: Option) -> st.SearchStrategy[Scalar]:
    ways: list[st.SearchStrategy[Any]] = [st.sampled_from(tried(described))]
    if described.type is float:
        low = 0 if described.minimum is None else described.minimum
        high = low + 0.2 if described.maximum is None else described.maximum
        ways.append(st.floats(low, high))
    if described.type is int:
        first = int(described.minimum or 0)
        last = first + 40 if described.maximum is None else int(described.maximum)
        ways.append(st.integers(first, min(first + 40, last)))
    return st.one_of(ways)


def entry(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """A pass as a spec writes it."""
    return configs(PASSES[name]).map(lambda own: {"pass": name, **own})


def pipelines() -> st.SearchStrategy[list[dict[str, Any]]]:
    """One pass or several, mostly different ones, in any order."""
    names = sorted(PASSES)
    orders = [list(order) for n in (1, 2) for order in itertools.permutations(names, n)]
    orders += [[name, name, other] for name, other in itertools.permutations(names, 2)]
    orders += [[name, other, name] for name, other in itertools.permutations(names, 2)]
    return st.sampled_from(orders).flatmap(lambda order: st.tuples(*map(entry, order)).map(list))
