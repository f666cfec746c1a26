"""A gate in the JSON Schema of the spec.

A branch for each metric: what a limit may be depends on it.
"""

from __future__ import annotations

from typing import Any

from compress_core.gates.growth import LARGEST_SIZE, PERCENT
from compress_core.gates.metric import METRICS, Metric
from compress_core.sizes import UNITS

Schema = dict[str, Any]

_NUMBER = r"[0-9]{1,18}"
_UNIT = "|".join(UNITS)
SIZE = rf"\s*{_NUMBER}\s*|\s*{_NUMBER}(?:\.[0-9]{{1,9}})?\s*(?:{_UNIT})\s*"
"""A size as text."""

_SHARE = rf"\s*{PERCENT}\s*"


def gate_schema() -> Schema:
    """The schema of one gate; it refers to ``patterns`` beside it."""
    return {
        "type": "object",
        "required": ["metric"],
        "properties": {
            "metric": {
                "description": "what is measured",
                "anyOf": [
                    {"const": metric.id, "description": metric.help} for metric in METRICS.values()
                ],
            }
        },
        "allOf": [
            {
                "if": {"required": ["metric"], "properties": {"metric": {"const": metric.id}}},
                "then": _gate(metric),
            }
            for metric in METRICS.values()
        ],
    }


def _gate(metric: Metric) -> Schema:
    keys: dict[str, Schema] = {
        "metric": {"const": metric.id},
        "max": {"description": f"at most: {metric.accepts()}", **_limit(metric)},
        "min": {"description": f"at least: {metric.accepts()}", **_limit(metric)},
    }
    keys |= _selecting() if metric.of_tensors else {"over": {"const": "total"}}
    if metric.grows:
        keys |= _growing()
    limits = [key for key in ("max", "min", "max_growth") if key in keys]
    schema: Schema = {
        "type": "object",
        "properties": keys,
        "anyOf": [{"required": [limit]} for limit in limits],
        "additionalProperties": False,
    }
    if not metric.grows:
        return schema
    narrowed = [{"required": [key]} for key in _selecting() if key in keys and key != "over"]
    by_tensor = {"required": ["over"], "properties": {"over": {"const": "tensor"}}}
    return schema | {
        "dependentRequired": {"baseline": ["max_growth"]},
        "not": {"required": ["max_growth"], "anyOf": [*narrowed, by_tensor]},
    }


def _limit(metric: Metric) -> Schema:
    if metric.unit == "bytes":
        number: Schema = {"type": "integer", "minimum": 0, "exclusiveMaximum": LARGEST_SIZE}
        return {"anyOf": [number, _text(SIZE, "25 MiB")]}
    if metric.unit == "share":
        return {
            "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, _text(_SHARE, "50%")],
        }
    least = -1e18 if metric.unit == "decibels" else 0
    return {"type": "number", "minimum": least, "maximum": 1e18}


def _selecting() -> dict[str, Schema]:
    return {
        "match": {
            "description": "the tensors that are measured; all, when not given",
            "$ref": "#/$defs/patterns",
            "minItems": 1,
        },
        "ignore": {"description": "tensors that are not", "$ref": "#/$defs/patterns"},
        "over": {
            "description": "all of them together, or each by itself",
            "enum": ["total", "tensor"],
            "default": "total",
        },
    }


def _growing() -> dict[str, Schema]:
    both = rf"{_SHARE}|{SIZE}|{_SHARE},(?:{SIZE})|(?:{SIZE}),{_SHARE}"
    return {
        "max_growth": {
            "description": "against the baseline; with both, only growth above both is too much",
            "anyOf": [
                _text(both, "1%", "1%, 64 KiB"),
                {
                    "type": "object",
                    "properties": {
                        "percent": {"type": "number", "minimum": 0},
                        "bytes": _text(SIZE, "64 KiB"),
                    },
                    "minProperties": 1,
                    "additionalProperties": False,
                },
            ],
        },
        "baseline": {
            "description": "the baseline file, beside the file that names it",
            "type": "string",
            "minLength": 1,
        },
    }


def _text(pattern: str, *examples: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$", "examples": list(examples)}
