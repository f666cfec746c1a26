"""What a run has to show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compress_core.report import ErrorResult, Report, TensorReport
from modelopt_cli.render import as_table
from modelopt_cli.render.base import Look
from modelopt_cli.render.of_report import ReportResult

MIB = 1024**2


def shown(report: Report, width: int = 80, *, per_tensor: bool = False) -> list[str]:
    return as_table.render(ReportResult(report, per_tensor), Look(width=width)).splitlines()


def pruned(report: Report) -> Report:
    spec = {"version": 1, "passes": [{"pass": "prune", "sparsity": 0.5}]}
    tensors = (
        replace(one, to=one.to.replace("int4 g128", "2of4 sparse")) for one in report.tensors
    )
    return replace(report, spec=spec, tensors=tuple(tensors))


def planned(report: Report) -> Report:
    tensors = tuple(replace(one, measured=None, zeros=None) for one in report.tensors)
    totals = replace(report.totals, measured=None, zeros=None)
    return replace(report, kind="plan", tensors=tensors, totals=totals, peak_bytes=96 * MIB)


def test_golden_80_columns(report: Report) -> None:
    assert shown(report) == [
        " Tensors                     n  To         MiB in  MiB out  Ratio  Error",
        " ───────────────────────────────────────────────────────────────────────",
        " embed_tokens                1  kept         2.00     2.00  1.00×      —",
        " layers.*.mlp.gate_proj      2  int4 g128    2.75     0.71  3.88×  0.159",
        " layers.*.self_attn.q_proj   2  int4 g128    1.00     0.26  3.88×  0.159",
        " 3 groups under 0.01 MiB     5  kept         0.00     0.00  1.00×      —",
        " all                        10               5.75     2.97  1.94×  0.114",
        "Error: ‖W−Ŵ‖/‖W‖ over all elements (of the weights, not the model's accuracy).",
        "Zeros: 12.5 % of all elements.",
        "Wrote tiny-w4a16 · layout packed · for modelopt restore",
    ]


def test_wide_terminals_see_more(report: Report) -> None:
    lines = shown(report, 100)
    assert lines[0].endswith("Ratio  Error  SQNR dB  max |Δ|")
    assert lines[3].endswith("3.88×  0.159     16.0   0.0310")


def test_prune_has_a_column_of_zeros(report: Report) -> None:
    lines = shown(pruned(report))
    assert lines[0].endswith("MiB in  MiB out  Ratio  Zeros %  Error")
    assert lines[3].endswith("3.88×     25.0  0.159")
    assert lines[2].endswith("1.00×      0.0      —")


def test_pruning_that_saves_no_bytes_is_seen_to_save_none(report: Report) -> None:
    same = replace(report.totals, bytes_out=report.totals.bytes_in)
    lines = shown(replace(pruned(report), totals=same))
    assert "Saves no bytes: 6032872 in, 6032872 out; 12.5 % of the elements are zero." in lines


def test_nobody_expects_a_copy_to_save_bytes(report: Report) -> None:
    same = replace(report.totals, bytes_out=report.totals.bytes_in)
    lines = shown(replace(report, totals=same, spec={"version": 1}))
    assert not any(line.startswith("Saves") for line in lines)


def test_a_plan_knows_no_errors(report: Report) -> None:
    lines = shown(planned(report))
    assert lines[0].endswith("MiB in  MiB out  Ratio")
    assert lines[-2] == "Exactly 3114672 bytes · 8.26 bits/weight · about 96.00 MiB of memory"
    assert lines[-1] == "Would write tiny-w4a16 · layout packed · for modelopt restore"


def test_upper_bounds_are_marked(report: Report) -> None:
    plan = planned(report)
    tensors = (replace(one, exactness="at most") for one in plan.tensors if one.to != "kept")
    totals = replace(plan.totals, exactness="at most")
    lines = shown(replace(plan, tensors=tuple(tensors), totals=totals))
    assert lines[2].endswith("≤0.71  ≥3.88×")
    assert lines[-3].endswith("≤2.97  ≥1.94×")
    assert lines[-2].startswith("At most 3114672 bytes · ≤8.26 bits/weight")


def test_per_tensor_unfolds(report: Report) -> None:
    lines = shown(report, per_tensor=True)
    assert [line.split()[0] for line in lines[2:-4]] == [one.name for one in report.tensors]


def test_nothing_changed_has_no_error(report: Report) -> None:
    kept = tuple(one for one in report.tensors if one.to == "kept")
    totals = replace(report.totals, measured=None)
    assert not any(
        line.startswith("Error") for line in shown(replace(report, tensors=kept, totals=totals))
    )


def test_no_tensors_at_all(report: Report) -> None:
    totals = replace(report.totals, bytes_in=10, bytes_out=10, float_elements=0, measured=None)
    lines = shown(replace(report, tensors=(), totals=totals))
    assert lines[2].startswith(" all      0        0.00     0.00  1.00×      —")


@pytest.mark.parametrize("width", [1, 20, 79, 80, 200])
def test_every_width_shows_every_number(report: Report, width: int) -> None:
    assert "3.88×" in shown(report, width)[3]


def test_five_thousand_tensors_fold(report: Report) -> None:
    gate = report.tensors[1]
    many = tuple(replace(gate, name=f"layers.{i}.mlp.gate.weight") for i in range(5000))
    lines = shown(replace(report, tensors=many))
    assert lines[2].split()[:2] == ["layers.*.mlp.gate", "5000"]


def test_json_and_records_are_the_report_s_own(report: Report) -> None:
    result = ReportResult(report)
    assert result.to_json() == report.to_json()
    assert [record["name"] for record in result.records()] == [one.name for one in report.tensors]


def test_a_group_shows_the_error_over_all_its_elements(report: Report) -> None:
    def measured(one: TensorReport) -> TensorReport:
        weight = 9.0 if "layers.0" in one.name else 1.0
        error = ErrorResult(0.01 * weight, weight, 0.02 + weight / 1000)
        return one if one.measured is None else replace(one, measured=error)

    lines = shown(replace(report, tensors=tuple(map(measured, report.tensors))), 100)
    assert lines[3].endswith("0.100     20.0   0.0290")


def test_no_error_has_no_decibels(report: Report) -> None:
    def lossless(one: TensorReport) -> TensorReport:
        return one if one.measured is None else replace(one, measured=ErrorResult(0.0, 1.0, 0.0))

    lines = shown(replace(report, tensors=tuple(map(lossless, report.tensors))), 100)
    assert lines[3].split()[-3:] == ["0", "—", "0"]
