"""Verdicts and their JSON form."""

from __future__ import annotations

import json

from compress_core.gates import Check, Gate, Limit, Measurement, Origin, Verdict
from compress_core.gates.verdict import TensorFigure


def verdict(bound: float | None) -> Verdict:
    limit = Limit("max", 0.25, Origin("gates[0].max", "a.yaml", 3, 7))
    gate = Gate("error", (limit,), over="tensor")
    worst = TensorFigure("a", 0.5)
    return Verdict("m", gate, limit, 0.5, bound, 3, worst="a", breaches=(worst,))


def test_the_json_form_is_exact_and_complete(measured: Measurement) -> None:
    check = Check((verdict(0.25),), (measured,), "0.1.0", notes=("n",))
    assert json.loads(json.dumps(check.to_json())) == {
        "schema": "modelopt.check/1",
        "version": "0.1.0",
        "against": None,
        "passed": False,
        "files": [{"path": "m.safetensors", "bytes": 500, "tensor_bytes": 380, "tensors": 4}],
        "gates": [
            {
                "file": "m",
                "metric": "error",
                "over": "tensor",
                "match": [],
                "ignore": [],
                "kind": "max",
                "limit": 0.25,
                "bound": 0.25,
                "now": 0.5,
                "slack": -0.25,
                "before": None,
                "baseline": None,
                "status": "fail",
                "measured": 3,
                "worst": "a",
                "breaches": [{"name": "a", "now": 0.5}],
                "where": {"said": "gates[0].max", "file": "a.yaml", "line": 3, "column": 7},
            }
        ],
        "notes": ["n"],
    }


def test_without_a_bound_it_is_new(measured: Measurement) -> None:
    found = verdict(None)
    assert (found.status, found.slack, found.failed) == ("new", None, False)
    assert Check((found,), (measured,), "0").to_json()["passed"] is True
