"""Gates × measurements × baselines."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from compress_core.errors import UnmatchedError, UsageError
from compress_core.gates import Baseline, Gate, Growth, Judge, Limit, Measurement, Verdict
from compress_core.report import ErrorResult
from compress_core.select import patterns


def judged(gate: Gate, measured: Measurement) -> list[Verdict]:
    return Judge([gate]).verdicts(measured)[0]


def one(gate: Gate, measured: Measurement) -> Verdict:
    (verdict,) = judged(gate, measured)
    return verdict


@pytest.mark.parametrize(
    ("kind", "bound", "status", "slack"),
    [
        ("max", 500, "ok", 0),
        ("max", 499, "fail", -1),
        ("min", 500, "ok", 0),
        ("min", 501, "fail", -1),
    ],
)
def test_a_limit_itself_is_allowed(
    measured: Measurement, kind: str, bound: int, status: str, slack: int
) -> None:
    verdict = one(Gate("size", (Limit(kind, bound),)), measured)  # type: ignore[arg-type]
    assert (verdict.status, verdict.slack, verdict.failed) == (status, slack, status == "fail")


def test_every_limit_has_its_verdict(measured: Measurement) -> None:
    gate = Gate("size", (Limit("max", 400), Limit("min", 10)))
    assert [verdict.status for verdict in judged(gate, measured)] == ["fail", "ok"]


def test_a_pattern_pools_what_it_matches(measured: Measurement) -> None:
    verdict = one(Gate("error", (Limit("max", 1.0),), match=patterns(["?"])), measured)
    assert verdict.now == pytest.approx(math.sqrt(25 / 200))
    assert verdict.measured == 2


def test_over_tensors_the_worst_one_counts(measured: Measurement) -> None:
    verdict = one(Gate("error", (Limit("max", 0.3),), over="tensor"), measured)
    assert (verdict.worst, verdict.now, verdict.measured) == ("b.weight", 0.4, 3)
    assert [breach.name for breach in verdict.breaches] == ["b.weight"]
    least = one(Gate("sqnr_db", (Limit("min", 100.0),), over="tensor"), measured)
    assert [breach.name for breach in least.breaches] == ["b.weight", "a.weight"]


def test_infinite_signal_is_enough(measured: Measurement) -> None:
    verdict = one(Gate("sqnr_db", (Limit("min", 9.0),), match=patterns(["norm"])), measured)
    assert (verdict.status, verdict.now) == ("ok", math.inf)
    assert verdict.to_json()["now"] is None


def test_an_infinite_error_fails(measured: Measurement) -> None:
    spoilt = replace(measured.tensors[0], measured=ErrorResult(math.inf, 0.0, math.inf))
    whole = replace(measured, tensors=(spoilt, *measured.tensors[1:]))
    for metric, limit in (
        ("error", Limit("max", 1e18)),
        ("max_abs", Limit("max", 1e18)),
        ("sqnr_db", Limit("min", -1e18)),
    ):
        assert one(Gate(metric, (limit,)), whole).failed
        assert one(Gate(metric, (limit,), over="tensor"), whole).worst == "a.weight"


def test_a_pattern_that_matches_nothing_is_an_error(measured: Measurement) -> None:
    gate = Gate("error", (Limit("max", 1.0),), match=patterns(["x.*"]))
    with pytest.raises(UnmatchedError):
        judged(gate, measured)
    verdicts, notes = Judge([gate]).verdicts(measured, "warn")
    assert verdicts == []
    assert notes == ["m.safetensors: match pattern matched no tensor: x.*"]


@pytest.mark.parametrize("over", ["total", "tensor"])
def test_nothing_to_measure_is_an_error(measured: Measurement, over: str) -> None:
    gate = Gate("error", (Limit("max", 1.0),), match=patterns(["index"]), over=over)
    with pytest.raises(UsageError, match="finds no error"):
        judged(gate, measured)


def test_ignoring_everything_leaves_nothing(measured: Measurement) -> None:
    gate = Gate("error", (Limit("max", 1.0),), ignore=patterns(["*"]))
    with pytest.raises(UsageError, match="finds no tensor"):
        judged(gate, measured)


def growing(tmp_path: Path, before: int, growth: Growth, metric: str = "size") -> Gate:
    path = tmp_path / "b.json"
    entry = {"bytes": before, "tensor_bytes": before}
    Baseline(path, {"m.safetensors": entry}).write()
    return Gate(metric, (Limit("max_growth", growth),), baseline=str(path))


@pytest.mark.parametrize(
    ("before", "growth", "status"),
    [
        (500, Growth(percent=0), "ok"),
        (499, Growth(percent=0), "fail"),
        (490, Growth(percent=2), "fail"),
        (490, Growth(2, 10), "ok"),
        (490, Growth(2, 9), "fail"),
        (490, Growth(3, 0), "ok"),
        (1000, Growth(nbytes=0), "ok"),
    ],
)
def test_growth(
    tmp_path: Path, measured: Measurement, before: int, growth: Growth, status: str
) -> None:
    here = replace(measured, path=str(tmp_path / "m.safetensors"))
    verdict = one(growing(tmp_path, before, growth), here)
    assert (verdict.status, verdict.before) == (status, before)
    assert verdict.bound == before + growth.allowed(before)


def test_growth_of_tensors(tmp_path: Path, measured: Measurement) -> None:
    here = replace(measured, path=str(tmp_path / "m.safetensors"))
    assert one(growing(tmp_path, 379, Growth(percent=0), "tensor_bytes"), here).now == 380


def test_a_new_file_has_nothing_to_grow_from(tmp_path: Path, measured: Measurement) -> None:
    judge = Judge([growing(tmp_path, 1, Growth(percent=0))])
    here = replace(measured, path=str(tmp_path / "new.safetensors"))
    (verdict,), _ = judge.verdicts(here)
    assert (verdict.status, verdict.slack, verdict.failed) == ("new", None, False)
    assert judge.new_files([here]) == [f"new, not in {tmp_path / 'b.json'}: {here.path}"]


def test_growth_needs_a_baseline(tmp_path: Path) -> None:
    gate = Gate("size", (Limit("max_growth", Growth(1)),))
    with pytest.raises(UsageError, match="names no baseline"):
        Judge([gate])
    with pytest.raises(UsageError, match="no such baseline"):
        Judge([gate], baseline=tmp_path / "b.json")
    assert list(Judge([gate], baseline=tmp_path / "b.json", create=True).baselines) == [
        tmp_path / "b.json"
    ]


def test_the_baseline_of_the_caller_wins(tmp_path: Path) -> None:
    gate = growing(tmp_path, 1, Growth(1))
    other = tmp_path / "other.json"
    assert list(Judge([gate], baseline=other, create=True).baselines) == [other]
