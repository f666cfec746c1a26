"""Gates in plain data: in a spec, and in the table of a pyproject.toml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from compress_core.gates import Gate, Growth, Limit, Origin
from compress_core.gates.metric import METRICS, Metric
from compress_core.near import did_you_mean, shown
from compress_core.sizes import parse_size
from compress_core.spec.patterns import match_at, patterns_at
from compress_core.spec.place import Place
from compress_core.spec.shapes import given_values, items, mapping_of, text

KEYS = ("metric", "max", "min", "max_growth", "match", "ignore", "over", "baseline")


def build_gates(data: object, place: Place) -> tuple[Gate, ...]:
    """The gates of a list.

    :raises SpecError: one breaks the grammar.
    """
    return tuple(_gate(item, at) for item, at in items(data, place))


def _gate(data: object, place: Place) -> Gate:
    given = given_values(mapping_of(KEYS, data, place), place)
    metric = _metric(given, place)
    parts: dict[str, Any] = {key: given[key] for key in ("over", "baseline") if key in given}
    if "match" in given:
        parts["match"] = match_at(given["match"], place.key("match"))
    if "ignore" in given:
        parts["ignore"] = patterns_at(given["ignore"], place.key("ignore"))
    limits = tuple(_limits(given, metric, place))
    with place.blaming():
        return Gate(metric=metric.id, limits=limits, **parts)


def _metric(given: Mapping[str, object], place: Place) -> Metric:
    if "metric" not in given:
        raise place.error("which metric?", f"write metric: size; metrics: {', '.join(METRICS)}")
    at = place.key("metric")
    name = text(given["metric"], at)
    if name not in METRICS:
        hint = did_you_mean(name, METRICS, "metrics")
        raise at.error(f"unknown metric: {shown(name)}", hint)
    return METRICS[name]


def _limits(given: Mapping[str, object], metric: Metric, place: Place) -> Iterator[Limit]:
    for kind in ("max", "min"):
        if kind in given:
            at = place.key(kind)
            with at.blaming():
                yield Limit(kind, metric.limit(given[kind]), _origin(at))
    if "max_growth" in given:
        at = place.key("max_growth")
        with at.blaming():
            yield Limit("max_growth", _growth(given["max_growth"], at), _origin(at))


def _growth(value: object, place: Place) -> Growth:
    if isinstance(value, str):
        return Growth.parse(value)
    given = given_values(mapping_of(("percent", "bytes"), value, place), place)
    percent, nbytes = given.get("percent"), given.get("bytes")
    if percent is not None and (
        isinstance(percent, bool) or not isinstance(percent, (int, float)) or percent < 0
    ):
        raise place.key("percent").error(
            f"percent: {shown(percent)} is not accepted", "percent takes a number of 0 or more"
        )
    if nbytes is not None:
        at = place.key("bytes")
        with at.blaming():
            nbytes = parse_size(text(nbytes, at, "sizes are text with a unit: 64 KiB"))
    return Growth(percent, nbytes)


def _origin(place: Place) -> Origin:
    if place.file is None:
        return Origin(place.path)
    line, column = place.positions.get(place.path, (1, 1))
    return Origin(place.path, place.file, line, column)
