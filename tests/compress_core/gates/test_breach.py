"""What is said of gates that failed."""

from __future__ import annotations

import json
import math

from compress_core.gates import Breach, Gate, Limit, Origin, Verdict
from compress_core.gates.breach import told


def breach(line: int = 3, now: float = 2) -> Breach:
    limit = Limit("max", 1, Origin("gates[0].max", "s.yaml", line, 7))
    return Breach.of(Verdict("out/a.safetensors", Gate("error", (limit,)), limit, now, 1, 4))


def test_it_has_words_figures_and_the_place() -> None:
    assert json.loads(json.dumps(breach().to_json())) == {
        "title": "error out/a.safetensors",
        "message": "error 2.00 is over the limit of 1.00",
        "metric": "error",
        "kind": "max",
        "now": 2,
        "bound": 1,
        "where": {"said": "gates[0].max", "file": "s.yaml", "line": 3, "column": 7},
    }
    assert breach(now=math.inf).now is None


def test_three_are_told_and_the_others_counted() -> None:
    said = "error 2.00 is over the limit of 1.00 (s.yaml:{})"
    assert told([breach(4)]) == said.format(4)
    three = "; ".join(said.format(line) for line in (1, 2, 3))
    assert told([breach(line) for line in (1, 2, 3)]) == three
    assert told([breach(line) for line in range(1, 6)]) == f"{three}; and 2 more"
