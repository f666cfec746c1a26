"""A gate in the JSON Schema; specs and mistakes are judged in ``test_schema.py``."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from compress_core.gates.metric import METRICS
from compress_core.spec.schema import json_schema

VALIDATOR = Draft202012Validator(json_schema())


def accepts(**gate: object) -> bool:
    return VALIDATOR.is_valid({"version": 1, "gates": [gate]})


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_takes_a_number(metric: str) -> None:
    assert accepts(metric=metric, max=1)
    assert accepts(metric=metric, min=0)
    assert not accepts(metric=metric)
    assert not accepts(metric=metric, max="x")


@pytest.mark.parametrize("metric", METRICS)
def test_only_what_a_baseline_holds_may_grow(metric: str) -> None:
    grows = METRICS[metric].grows
    for growth in ("1%", "64 KiB", "1%,64KiB", "64KiB, 1 %", {"percent": 1, "bytes": "1 B"}):
        assert accepts(metric=metric, max_growth=growth, baseline="b") == grows
    for wrong in ("1% 2%", {}, {"percent": -1}, {"bytes": 5}, {"more": 1}, 5):
        assert not accepts(metric=metric, max_growth=wrong)
    assert not accepts(metric=metric, max=1, baseline="b")


def test_files_have_no_tensors() -> None:
    assert accepts(metric="tensor_bytes", max=1, match="a", ignore=["b"], over="tensor")
    for more in ({"match": "a"}, {"ignore": "a"}, {"over": "tensor"}):
        assert not accepts(metric="size", max=1, **more)
        assert not accepts(metric="tensor_bytes", max_growth="1%", **more)
    assert accepts(metric="size", max=1, over="total")
