"""The table of a batch."""

from __future__ import annotations

import pytest

from compress_core.batch import BatchReport, Outcome
from compress_core.errors import FormatError, GateError
from compress_core.gates import Breach, Origin
from modelopt_cli.render import renderer
from modelopt_cli.render.base import Look
from modelopt_cli.render.of_batch import BatchResult

MIB = 1024**2
TOTALS = {"bytes_in": 12 * MIB, "bytes_out": 4 * MIB, "ratio": 3.0, "error": 0.114}
OUTCOMES = (
    Outcome("a.safetensors", "done", TOTALS, "packed"),
    Outcome("b.safetensors", "resumed", {**TOTALS, "error": None}, "packed"),
    Outcome.failed("c.safetensors", FormatError("not a safetensors file (4 bytes)")),
    Outcome("d.safetensors", "skipped"),
)


def result(*outcomes: Outcome, shard: str = "1/1") -> BatchResult:
    return BatchResult(BatchReport(outcomes, {"version": 1}, "1.0", shard))


def test_the_table() -> None:
    assert renderer("table").render(result(*OUTCOMES), Look(width=100)).splitlines() == [
        " Checkpoint     State    MiB in  MiB out  Ratio  Error",
        " " + "─" * 87,
        " a.safetensors  done      12.00     4.00  3.00×  0.114",
        " b.safetensors  resumed   12.00     4.00  3.00×      —",
        " c.safetensors  failed        —        —      —      —  not a safetensors file (4 bytes)",
        " d.safetensors  skipped       —        —      —      —",
        "1 done, 1 resumed, 1 failed, 1 skipped · exit 5",
    ]


def test_reasons_take_room_only_when_there_are_any() -> None:
    (sheet,) = result(*OUTCOMES[:2]).sheets()
    assert len(sheet.columns) == 6
    assert sheet.lines == ("1 done, 1 resumed",)


def test_a_shard_is_said() -> None:
    (sheet,) = result(shard="2/3").sheets()
    assert sheet.lines == ("nothing to do · shard 2/3",)


def test_all_formats_take_it() -> None:
    for name in ("json", "csv", "md"):
        assert "c.safetensors" in renderer(name).render(result(*OUTCOMES), Look())


def test_the_exit_code() -> None:
    assert result(*OUTCOMES).exit_code == result(*OUTCOMES).to_json()["exit_code"] == 5
    assert result(*OUTCOMES[:2]).exit_code == 0


def breaching(count: int) -> Outcome:
    limits = (
        Origin(f"gates[{number}].max", "ci/s.yaml", number + 4, 20) for number in range(count)
    )
    breaches = [
        Breach("size out/e", "size 2 B is over 1 B", "size", "max", 2, 1, one) for one in limits
    ]
    return Outcome.failed("e", GateError("all of it", where="m/e", breaches=breaches))


def errors_of(*outcomes: Outcome, root: str | None = None) -> list[str]:
    found = BatchResult(result(*outcomes).report, root)
    text = renderer("github").render(found, Look())
    return [line for line in text.splitlines() if line.startswith("::error ")]


def test_github_shows_each_gate_and_each_other_failure() -> None:
    assert errors_of(*OUTCOMES, breaching(2)) == [
        "::error title=c.safetensors failed::c.safetensors: not a safetensors file (4 bytes)",
        "::error file=ci/s.yaml,line=4,col=20,title=size out/e::e: size 2 B is over 1 B",
        "::error file=ci/s.yaml,line=5,col=20,title=size out/e::e: size 2 B is over 1 B",
    ]
    assert errors_of(*OUTCOMES[:2]) == []


def test_github_wants_files_from_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    (line,) = errors_of(breaching(1), root="/")
    assert line.startswith("::error file=usr/ci/s.yaml,")


def test_github_takes_ten_annotations() -> None:
    *_, last = errors_of(breaching(9), *OUTCOMES, breaching(1))
    assert last == "::error title=modelopt::2 more failures: see the log or the summary"
    *_, last = errors_of(breaching(12))
    assert last == "::error title=modelopt::3 more gates failed: see the log or the summary"
