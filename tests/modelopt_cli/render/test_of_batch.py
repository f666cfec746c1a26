"""The table of a batch."""

from __future__ import annotations

from compress_core.batch import BatchReport, Outcome
from compress_core.errors import FormatError
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
