"""Spec → dictionary → spec, spec → YAML → spec: for all options of all registered passes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compress_core import registry
from compress_core.dtypes import DTYPES
from compress_core.errors import UsageError
from compress_core.fields import Option, options_of
from compress_core.gates import Gate, Growth, Limit
from compress_core.gates.metric import METRICS
from compress_core.passes.base import Pass
from compress_core.pipeline import Pipeline, Rule, Step
from compress_core.select import ROLES, Pattern, Selector, Where
from compress_core.spec import Output, Spec, from_config
from compress_core.spec.loader import loads


def fits(make: Any, *given: Any) -> bool:
    """Whether ``make`` accepts what is given."""
    try:
        make(*given)
    except UsageError:
        return False
    return True


def values(described: Option) -> st.SearchStrategy[Any]:
    """What one option accepts."""
    if described.type is bool:
        return st.booleans()
    ways: list[st.SearchStrategy[Any]] = [st.sampled_from(described.choices or (None,))]
    low, high = described.minimum, described.maximum
    if described.type is int:
        bounds = {"min_value": int(low or 0), "max_value": int(2**62 if high is None else high)}
        ways.append(st.integers(**bounds))
    if described.type is float:
        ways = [st.floats(low or 0, 1e9 if high is None else high)]
    if described.pattern is not None:
        ways.append(st.from_regex(described.pattern, fullmatch=True))
    return st.one_of(ways).filter(lambda value: value is not None)


def passes_of(cls: type[Pass]) -> st.SearchStrategy[Pass]:
    """Every pass of a class: any few options that go together."""
    optional = {name: values(described) for name, (described, _) in options_of(cls).items()}
    some = st.lists(st.sampled_from(sorted(optional)), unique=True, max_size=4)
    options = some.flatmap(lambda keys: st.fixed_dictionaries({key: optional[key] for key in keys}))
    return options.filter(lambda found: fits(cls.from_config, found)).map(cls.from_config)


PATTERNS = (
    st.sampled_from(["lm_head", "*embed*", "re:.*norm", "model.layers.?.[ab]", "017", "yes", "*"])
    | st.text(min_size=1, max_size=12)
).filter(lambda text: fits(Pattern, text)).map(Pattern)  # fmt: skip
LISTS = st.lists(PATTERNS, max_size=3).map(tuple)
WHERES = st.builds(
    Where,
    ndim=st.none() | st.integers(0, 9),
    min_ndim=st.none() | st.integers(0, 9),
    min_elements=st.none() | st.integers(0, 2**60),
    dtype=st.lists(st.sampled_from(sorted(DTYPES)), max_size=2).map(tuple),
    role=st.none() | st.sampled_from(ROLES),
)
SELECTORS = st.builds(
    Selector, match=LISTS.filter(bool) | st.just(Selector().match), ignore=LISTS, where=WHERES
)
OUTPUTS = st.builds(
    Output,
    layout=st.sampled_from(["auto", *registry.names("layouts")]),
    shard_size=st.none()
    | st.integers(1, 10**18 - 1)
    | st.integers(1, 999).map(lambda n: n * 2**30),
    copy_side_files=st.booleans(),
    on_exists=st.sampled_from(["error", "replace", "resume"]),
)


GROWTHS = st.one_of(
    st.builds(Growth, percent=st.floats(0, 1e6)),
    st.builds(Growth, nbytes=st.integers(0, 10**18 - 1)),
    st.builds(Growth, percent=st.floats(0, 1e6), nbytes=st.integers(0, 2**40)),
)


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    """Any gate whose parts go together."""
    metric = METRICS[draw(st.sampled_from(sorted(METRICS)))]
    number: st.SearchStrategy[Any] = st.floats(0, 1)
    if metric.unit == "bytes":
        number = st.integers(0, 10**18 - 1)
    ways = {"max": number, "min": number} | ({"max_growth": GROWTHS} if metric.grows else {})
    kinds = draw(st.lists(st.sampled_from(sorted(ways)), min_size=1, unique=True))
    growing = "max_growth" in kinds
    narrow = metric.of_tensors and not growing
    return Gate(
        metric=metric.id,
        limits=tuple(
            Limit(kind, draw(ways[kind])) for kind in ("max", "min", "max_growth") if kind in kinds
        ),
        match=draw(LISTS) if narrow else (),
        ignore=draw(LISTS) if narrow else (),
        over=draw(st.sampled_from(["total", "tensor"])) if narrow else "total",
        baseline=draw(st.sampled_from([None, "a/b.json"])) if growing else None,
    )


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """A step; with rules where the pass allows them."""
    cls = registry.get("passes", draw(st.sampled_from(registry.names("passes"))))
    work = draw(passes_of(cls))
    single = passes_of(cls).filter(lambda found: not found.decides_over_all)
    rule = st.builds(Rule, LISTS.filter(bool), single)
    rules = () if work.decides_over_all else tuple(draw(st.lists(rule, max_size=2)))
    return Step(work, draw(SELECTORS), rules)


SPECS = st.builds(
    Spec,
    pipeline=st.builds(Pipeline, st.lists(steps(), max_size=3).map(tuple), SELECTORS),
    name=st.none() | st.text(max_size=12).filter(lambda name: fits(Spec, Pipeline(), name)),
    output=OUTPUTS,
    gates=st.lists(gates(), max_size=2).map(tuple),
)
THOROUGH = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@THOROUGH
@given(SPECS)
def test_a_spec_survives_every_way_of_writing_it(spec: Spec) -> None:
    assert from_config(spec.config()) == spec
    assert from_config(json.loads(json.dumps(spec.config()))) == spec
    assert loads(spec.to_yaml()) == spec


@THOROUGH
@given(SPECS)
def test_what_is_canonical_stays_so(spec: Spec) -> None:
    again = loads(spec.to_yaml())
    assert again.config() == spec.config()
    assert again.to_yaml() == spec.to_yaml()
