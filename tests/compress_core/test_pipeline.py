"""Steps, rules, and the patterns that somebody wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest

from compress_core.dtypes import DTYPES
from compress_core.errors import UsageError
from compress_core.fields import option
from compress_core.limits import Limits
from compress_core.passes.base import Pass, Settled, Survey, Target
from compress_core.pipeline import Pipeline, Rule, Step
from compress_core.select import Selector, Where, patterns
from compress_core.tensors import Form, TensorInfo


@dataclass(frozen=True)
class Clip(Pass):
    """A pass with one option for each thing that a step cares about."""

    id: ClassVar[str] = "clip"
    summary: ClassVar[str] = "cut off what is large"

    bound: float | None = option("largest magnitude that stays", float, minimum=0)
    shared: bool = option("one bound for all tensors", bool, default=False)

    @property
    def decides_over_all(self) -> bool:
        return self.shared

    def becomes(self, info: TensorInfo, form: Form, limits: Limits) -> Form:
        return form

    def settle(self, targets: Sequence[Target], found: Survey | None) -> Settled:
        raise NotImplementedError


def info(name: str) -> TensorInfo:
    """A tensor that has nothing but a name."""
    return TensorInfo(name, DTYPES["F32"], (1,), 4)


RULES = (
    Rule(patterns(["*.down_proj"]), Clip(bound=8)),
    Rule(patterns(["layers.0.*", "head"]), Clip(bound=2)),
)


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("layers.0.down_proj.weight", 8),
        ("layers.0.up_proj.weight", 2),
        ("head.weight", 2),
        ("layers.1.up_proj.weight", 4),
    ],
)
def test_the_first_rule_that_matches_wins(name: str, bound: float) -> None:
    assert Step(Clip(bound=4), rules=RULES).for_tensor(info(name)) == Clip(bound=bound)


@pytest.mark.parametrize(
    ("work", "instead"),
    [
        (Clip(shared=True), Clip(shared=True, bound=1)),
        (Clip(), Clip(shared=True)),
        (Clip(shared=True), Clip()),
    ],
)
def test_a_rule_cannot_split_what_is_decided_over_all(work: Clip, instead: Clip) -> None:
    fine = Rule(patterns(["a"]), Clip())
    with pytest.raises(UsageError, match="a rule cannot split what clip decides") as caught:
        Step(work, rules=(*([] if work.shared else [fine]), Rule(patterns(["b"]), instead)))
    assert caught.value.where == ("rules[0]" if work.shared else "rules[1]")


def test_a_pass_decides_for_each_tensor_unless_it_says_otherwise() -> None:
    assert Pass.decides_over_all.fget(Clip(shared=True)) is False  # type: ignore[attr-defined]


def test_a_step_as_a_spec_writes_it() -> None:
    select = Selector(ignore=patterns(["x"]), where=Where(ndim=2))
    assert Step(Clip(bound=4), select, RULES).config() == {
        "pass": "clip",
        "bound": 4.0,
        "ignore": ["x"],
        "where": {"ndim": 2},
        "rules": [
            {"match": ["*.down_proj"], "bound": 8.0},
            {"match": ["layers.0.*", "head"], "bound": 2.0},
        ],
    }
    assert Step(Clip()).config() == {"pass": "clip"}


def test_a_pipeline_knows_every_written_pattern_and_its_place() -> None:
    select = Selector(ignore=patterns(["lm_head", "re:.*norm"]))
    step = Step(Clip(), Selector(match=patterns(["*", "a"])), RULES)
    written = Pipeline((Step(Clip()), step), select).written
    assert [(place, pattern.text) for place, pattern in written] == [
        ("select.ignore[0]", "lm_head"),
        ("select.ignore[1]", "re:.*norm"),
        ("passes[1].match[1]", "a"),
        ("passes[1].rules[0].match[0]", "*.down_proj"),
        ("passes[1].rules[1].match[0]", "layers.0.*"),
        ("passes[1].rules[1].match[1]", "head"),
    ]
