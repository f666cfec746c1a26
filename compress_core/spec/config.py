"""A plain dictionary becomes a spec, and every mistake in it an error that says where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from compress_core import registry
from compress_core.fields import options_of
from compress_core.near import shown
from compress_core.passes.base import Pass
from compress_core.pipeline import Pipeline, Rule, Step
from compress_core.select import Selector, Where
from compress_core.sizes import parse_size
from compress_core.spec.model import VERSION, Output, Spec
from compress_core.spec.patterns import match_at, patterns_at
from compress_core.spec.place import Place
from compress_core.spec.shapes import given_values, items, mapping, mapping_of, text, texts

if TYPE_CHECKING:
    from compress_core.gates import Gate

SPEC_KEYS = ("version", "name", "select", "passes", "gram", "output", "gates", "report")
SELECT_KEYS = ("match", "ignore", "where")


def from_config(config: Mapping[str, object]) -> Spec:
    """A spec from a plain dictionary in the grammar of the spec file.

    :raises SpecError: it breaks the grammar; ``where`` is a path such as ``passes[0].ignore[1]``.
    """
    return build(config, Place())


def build(data: object, place: Place) -> Spec:
    """A spec from plain data that stand at ``place``.

    :raises SpecError: as :func:`from_config`; with the line and column, if ``place`` knows them.
    """
    given = mapping_of(SPEC_KEYS, data, place)
    _check_version(given, place)
    steps = [_step(item, at) for item, at in items(given.get("passes", ()), place.key("passes"))]
    at = place.key("select")
    select = _selector(mapping_of(SELECT_KEYS, given.get("select", {}), at), at)
    output = _output(given.get("output", {}), place.key("output"))
    gates = _gates(given["gates"], place.key("gates")) if "gates" in given else ()
    name = text(given["name"], place.key("name")) if "name" in given else None
    gram = text(given["gram"], place.key("gram")) if "gram" in given else None
    report = tuple(path for path, _ in texts(given.get("report", ()), place.key("report")))
    with place.blaming():
        return Spec(Pipeline(tuple(steps), select), name, output, gates, report, gram)


def _gates(data: object, place: Place) -> tuple[Gate, ...]:
    from compress_core.spec.gates import build_gates  # most specs have none

    return build_gates(data, place)


def _check_version(given: Mapping[str, object], place: Place) -> None:
    if "version" not in given:
        raise place.error("the spec has no version", f"add the line: version: {VERSION}")
    version = given["version"]
    if type(version) is not int or version != VERSION:
        raise place.key("version").error(
            f"version {shown(version)} is not known", f"this is the grammar of version: {VERSION}"
        )


def _step(data: object, place: Place) -> Step:
    given = mapping(data, place)
    cls = _pass(given, place)
    options = options_of(cls)
    mapping_of(("pass", *options, *SELECT_KEYS, "rules"), data, place)
    own = {key: value for key, value in given.items() if key in options}
    with place.blaming():
        work = cls.from_config(given_values(own, place))
    rules = items(given.get("rules", ()), place.key("rules"))
    select = _selector(given, place)
    with place.blaming():
        return Step(work, select, tuple(_rule(item, at, work) for item, at in rules))


def _pass(given: Mapping[str, object], place: Place) -> type[Pass]:
    known = registry.names("passes")
    if "pass" not in given:
        meant = next((key for key in given if key in known), "…")
        raise place.error("which pass?", f"write pass: {meant}; passes: {', '.join(known)}")
    at = place.key("pass")
    name = text(given["pass"], at)
    with at.blaming():
        cls: type[Pass] = registry.get("passes", name)
    return cls


def _rule(data: object, place: Place, work: Pass) -> Rule:
    given = dict(mapping_of(("match", *options_of(type(work))), data, place))
    if "match" not in given:
        raise place.error("a rule needs match", "name the tensors that it is meant for")
    match = match_at(given.pop("match"), place.key("match"))
    with place.blaming():
        return Rule(match, work.changed(given))


def _selector(given: Mapping[str, object], place: Place) -> Selector:
    parts: dict[str, Any] = {}
    if "match" in given:
        parts["match"] = match_at(given["match"], place.key("match"))
    if "ignore" in given:
        parts["ignore"] = patterns_at(given["ignore"], place.key("ignore"))
    if "where" in given:
        parts["where"] = _where(given["where"], place.key("where"))
    return Selector(**parts)


def _where(data: object, place: Place) -> Where:
    given = dict(mapping_of((*options_of(Where), "dtype"), data, place))
    codes = [code for code, _ in texts(given.pop("dtype", ()), place.key("dtype"))]
    with place.blaming():
        return replace(Where.from_config(given_values(given, place)), dtype=tuple(codes))


def _output(data: object, place: Place) -> Output:
    given = dict(given_values(mapping_of(options_of(Output), data, place), place))
    if "shard_size" in given:
        at = place.key("shard_size")
        size = text(given["shard_size"], at, "sizes are text with a unit: 4 GiB")
        with at.blaming():
            given["shard_size"] = parse_size(size)
    with place.blaming():
        return Output.from_config(given)
