"""Gates as flags."""

from __future__ import annotations

import pytest

from compress_core.errors import UsageError
from compress_core.gates import Gate, Growth, Limit
from compress_core.select import patterns
from modelopt_cli.gate_options import Comparing, Gating, Guarding, narrowed_gates


def test_no_flag_is_no_gate() -> None:
    assert Gating().gates == Comparing().gates == Guarding().gates == ()


def test_every_flag_is_a_gate_that_knows_it() -> None:
    given = Comparing(
        max_size=10,
        min_ratio=2.0,
        max_ratio=9.0,
        max_error=0.2,
        min_sqnr=-3.0,
        max_growth=Growth(1),
    )
    limits = [
        ("size", Limit("max", 10)),
        ("ratio", Limit("min", 2.0)),
        ("ratio", Limit("max", 9.0)),
        ("error", Limit("max", 0.2)),
        ("sqnr_db", Limit("min", -3.0)),
        ("size", Limit("max_growth", Growth(1))),
    ]
    assert given.gates == tuple(Gate(metric, (limit,)) for metric, limit in limits)
    assert [str(gate.limits[0].origin) for gate in given.gates] == [
        "--max-size",
        "--min-ratio",
        "--max-ratio",
        "--max-error",
        "--min-sqnr",
        "--max-growth",
    ]


def test_patterns_are_for_the_gates_that_can_be_of_tensors() -> None:
    size, error = narrowed_gates(Gating(max_size=1, max_error=1.0).gates, ("a.*",), ("a.b",))
    assert size == Gate("size", (Limit("max", 1),))
    assert (error.match, error.ignore) == (patterns(["a.*"]), patterns(["a.b"]))
    assert error.match[0].where == "--match"


def test_patterns_for_no_gate_are_refused() -> None:
    with pytest.raises(UsageError, match="other flags"):
        narrowed_gates(Gating(max_size=1).gates, ("a",), ())
