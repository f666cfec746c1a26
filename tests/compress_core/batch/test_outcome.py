"""Outcomes and their JSON form."""

from __future__ import annotations

import json

from compress_core.batch import BatchReport, Outcome
from compress_core.errors import FormatError, GateError, OutputError
from compress_core.gates import Breach, Origin

DONE = Outcome("a", "done", {"bytes_in": 10, "bytes_out": 4, "ratio": 2.5, "error": 0.1}, "packed")
FAILED = Outcome.failed("b", FormatError("too short", where="m/b", hint="get it again"))
REPORT = BatchReport((DONE, FAILED, Outcome("c", "skipped")), {"version": 1}, "1.0", "1/3")


def test_an_error_survives() -> None:
    assert FAILED.kind == "FormatError"
    assert isinstance(FAILED.error, FormatError)
    assert FAILED.error.message == "b: too short"
    assert (FAILED.error.where, FAILED.error.hint) == ("m/b", "get it again")
    assert DONE.error is None


def test_all_records_have_the_same_keys() -> None:
    first, *others = (outcome.to_json() for outcome in REPORT.outcomes)
    assert all(list(other) == list(first) for other in others)
    assert others[0]["bytes_in"] is None


def test_the_report() -> None:
    said = REPORT.to_json()
    assert json.loads(json.dumps(said)) == said
    assert said["schema"] == "modelopt.batch/1"
    assert said["totals"] == {
        "done": 1,
        "resumed": 0,
        "failed": 1,
        "skipped": 1,
        "bytes_in": 10,
        "bytes_out": 4,
    }
    assert [one["item"] for one in said["items"]] == ["a", "b", "c"]
    assert REPORT.count("failed") == 1


def test_gates_that_failed_are_kept() -> None:
    where = Origin("gates[0].max", "s.yaml", 3, 4)
    breach = Breach("size a", "size 2 B is over 1 B", "size", "max", 2, 1, where)
    failed = Outcome.failed("a", GateError("no", breaches=[breach]))
    assert failed.breaches == (breach,)
    (item,) = BatchReport((failed,), {}, "1.0").to_json()["items"]
    assert item["breaches"] == [breach.to_json()]


def test_a_full_disk_has_a_hint_that_a_batch_takes() -> None:
    full = Outcome.failed("a", OutputError("disk full"))
    assert "-O DIR" in str(full.hint)
    assert Outcome.failed("a", OutputError("no such folder", hint="mkdir b")).hint == "mkdir b"
