"""An ordered list of passes, each with the tensors it is meant for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from compress_core.errors import UsageError
from compress_core.passes.base import Pass
from compress_core.select import Pattern, Selector, Written, listed
from compress_core.tensors import TensorInfo


@dataclass(frozen=True)
class Rule:
    """Tensors of a step that get other options; the first rule that matches wins."""

    match: tuple[Pattern, ...]
    instead: Pass

    def config(self, work: Pass) -> dict[str, Any]:
        """The rule as a spec writes it below the pass ``work``."""
        return {"match": [pattern.text for pattern in self.match], **work.difference(self.instead)}


@dataclass(frozen=True)
class Step:
    """One pass and its tensors.

    :raises UsageError: a rule would split what the pass decides over all tensors together.
    """

    work: Pass
    select: Selector = field(default_factory=Selector)
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for index, rule in enumerate(self.rules):
            if self.work.decides_over_all or rule.instead.decides_over_all:
                raise UsageError(
                    f"a rule cannot split what {self.work.id} decides over all tensors together",
                    where=f"rules[{index}]",
                    hint="use a second pass with its own match, or another scope",
                )

    def for_tensor(self, info: TensorInfo) -> Pass:
        """The pass with the options that hold for ``info``."""
        for rule in self.rules:
            if any(pattern.matches(info.name) for pattern in rule.match):
                return rule.instead
        return self.work

    @property
    def works(self) -> tuple[Pass, ...]:
        """The pass with all the options that some tensor may get."""
        return (self.work, *(rule.instead for rule in self.rules))

    def config(self) -> dict[str, Any]:
        """The step as a spec writes it: ``pass`` first, then what differs from the defaults."""
        rules = {"rules": [rule.config(self.work) for rule in self.rules]} if self.rules else {}
        return {"pass": self.work.id, **self.work.config(), **self.select.config(), **rules}

    @property
    def written(self) -> tuple[Written, ...]:
        """The patterns that somebody wrote, each with its place: ``("rules[0].match[1]", …)``."""
        in_rules = (
            found
            for index, rule in enumerate(self.rules)
            for found in listed(f"rules[{index}].match", rule.match)
        )
        return (*self.select.written, *in_rules)


@dataclass(frozen=True)
class Pipeline:
    """Steps in order, and the selection that holds for all of them."""

    steps: tuple[Step, ...] = ()
    select: Selector = field(default_factory=Selector)

    @property
    def written(self) -> tuple[Written, ...]:
        """The patterns that somebody wrote, each with its place: ``("passes[0].ignore[1]", …)``."""
        return tuple(self._places())

    def _places(self) -> Iterator[Written]:
        for place, pattern in self.select.written:
            yield f"select.{place}", pattern
        for index, step in enumerate(self.steps):
            for place, pattern in step.written:
                yield f"passes[{index}].{place}", pattern
