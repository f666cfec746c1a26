"""Gates in plain data; their mistakes are in ``test_config.py``."""

from __future__ import annotations

from compress_core.gates import Gate, Growth, Limit, Origin
from compress_core.select import patterns
from compress_core.spec import from_config
from compress_core.spec.loader import loads

TEXT = """\
version: 1
gates:
  - metric: size
    max: 25 MiB
    max_growth: {percent: 1,
                 bytes: 64 KiB}
    baseline: b.json
  - {metric: zeros, min: 50%, match: a, ignore: [b], over: tensor}
"""


def test_all_the_keys() -> None:
    size, zeros = loads(TEXT, "ci/a.yaml").gates
    limits = (Limit("max", 25 * 1024**2), Limit("max_growth", Growth(1, 65536)))
    assert size == Gate("size", limits, baseline="b.json")
    assert zeros == Gate(
        "zeros", (Limit("min", 0.5),), patterns(["a"]), patterns(["b"]), over="tensor"
    )


def test_each_limit_knows_its_line() -> None:
    size, zeros = loads(TEXT, "ci/a.yaml").gates
    assert [limit.origin for limit in (*size.limits, *zeros.limits)] == [
        Origin("gates[0].max", "ci/a.yaml", 4, 5),
        Origin("gates[0].max_growth", "ci/a.yaml", 5, 5),
        Origin("gates[1].min", "ci/a.yaml", 8, 21),
    ]
    assert str(zeros.match[0].where) == "ci/a.yaml:8:31  gates[1].match"


def test_a_dictionary_has_no_lines() -> None:
    (gate,) = from_config({"version": 1, "gates": [{"metric": "error", "max": 1}]}).gates
    assert gate.limits[0].origin == Origin("gates[0].max")


def test_a_spec_lists_the_patterns_of_its_gates() -> None:
    spec = loads(TEXT, "ci/a.yaml")
    assert [place for place, _ in spec.written] == ["gates[1].match[0]", "gates[1].ignore[0]"]
