"""The gates of a run, judged before or after it writes."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from compress_core import Settings
from compress_core.errors import UsageError
from compress_core.gates import Gate, Growth, Limit
from compress_core.report import Report
from compress_core.spec import Spec
from modelopt_cli.console import Output
from modelopt_cli.gate_options import Guarding
from modelopt_cli.guard import Forecast, GateRefusal, Guard, guarded

TIGHT, LOOSE = (Gate("size", (Limit("max", bound),)) for bound in (1, 10**9))


def told(spec: Spec, guarding: Guarding) -> tuple[tuple[Gate, ...], str]:
    err = io.StringIO()
    return guarded(spec, guarding, Output(io.StringIO(), err, {})).gates, err.getvalue()


def test_a_report_is_judged(report: Report) -> None:
    check = Guard([TIGHT, LOOSE], Settings()).judged(report)
    assert [verdict.status for verdict in check.verdicts] == ["fail", "ok"]
    assert {verdict.file for verdict in check.verdicts} == {report.target}


def test_a_refusal_says_that_nothing_is_there(report: Report) -> None:
    Guard([LOOSE], Settings()).refuse(report)
    with pytest.raises(GateRefusal) as caught:
        Guard([TIGHT], Settings()).refuse(report)
    assert caught.value.report == replace(report, target=None)
    assert caught.value.check.failed


def test_a_missing_baseline_is_said_at_once(tmp_path: Path) -> None:
    growth = Limit("max_growth", Growth(1))
    with pytest.raises(UsageError, match="no such baseline"):
        Guard([Gate("size", (growth,), baseline=str(tmp_path / "b.json"))], Settings())


def test_flags_take_the_place_of_the_spec() -> None:
    spec = Spec(gates=(LOOSE,))
    assert told(spec, Guarding()) == ((LOOSE,), "")
    assert told(Spec(), Guarding(max_size=1)) == ((TIGHT,), "")
    assert told(spec, Guarding(max_size=1)) == (
        (TIGHT,),
        "note: gates: those of the flags, not those of the spec\n",
    )


def test_a_guard_needs_gates() -> None:
    with pytest.raises(UsageError, match="without a gate"):
        told(Spec(), Guarding(gate_before_write=True))


ERROR = Gate("error", (Limit("max", 0.1),))


def test_a_forecast_is_of_sizes(report: Report) -> None:
    forecast = Forecast([TIGHT, ERROR], Settings())
    check = forecast.judged(report)
    assert check is not None
    assert [verdict.gate for verdict in check.failed] == [TIGHT]
    assert forecast.left(report) == "not judged by plan: error"
    assert Forecast([LOOSE], Settings()).left(report) is None


def test_an_upper_bound_is_not_judged(report: Report) -> None:
    bound = replace(report, totals=replace(report.totals, exactness="at most"))
    forecast = Forecast([TIGHT, ERROR], Settings())
    assert forecast.judged(bound) is None
    assert forecast.left(bound) == "not judged by plan: size, error"


def test_a_plan_that_has_measured_leaves_nothing(report: Report) -> None:
    weights = [replace(tensor, reference_square=1.0) for tensor in report.tensors]
    report = replace(report, tensors=tuple(weights))
    forecast = Forecast([LOOSE, ERROR], Settings(), measured=True)
    check = forecast.judged(report)
    assert check is not None
    assert [verdict.gate for verdict in check.failed] == [ERROR]
    assert forecast.left(report) is None


def test_errors_alone_are_left_to_the_run(report: Report) -> None:
    assert Forecast([ERROR], Settings()).judged(report) is None
    assert Forecast([], Settings()).left(report) is None
