"""What follows the work."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

from compress_core.report import Report
from modelopt_cli.console import Output
from modelopt_cli.outcome import show, tell, write_reports
from modelopt_cli.render.of_report import ReportResult
from modelopt_cli.result_options import Reporting, Showing


def told(report: Report, *, verbose: bool = False) -> list[str]:
    err = io.StringIO()
    output = Output(io.StringIO(), err, {})
    output.verbose = verbose
    tell(report, output)
    return err.getvalue().splitlines()


def test_kept_tensors_are_summed_up(report: Report) -> None:
    first = replace(report.tensors[0], kept_because="1-D")
    tensors = (first, *report.tensors[1:])
    assert told(replace(report, tensors=tensors, notes=("a shard is missing",))) == [
        "note: a shard is missing",
        "note: 6 tensors kept: ignored by embed_tokens (5), 1-D (1)",
    ]


def test_one_tensor_is_no_plural(report: Report) -> None:
    assert told(replace(report, tensors=report.tensors[:1])) == [
        "note: 1 tensor kept: ignored by embed_tokens (1)"
    ]


def test_verbose_names_them(report: Report) -> None:
    lines = told(replace(report, tensors=report.tensors[:1]), verbose=True)
    assert lines[1] == "note: kept embed_tokens.weight: ignored by embed_tokens"


def test_a_run_without_passes_keeps_all_by_intention(report: Report) -> None:
    assert told(replace(report, spec={"version": 1})) == []


def test_reports_are_files_of_every_format(report: Report, tmp_path: Path) -> None:
    paths = tuple(tmp_path / f"r.{suffix}" for suffix in ("json", "md", "csv"))
    write_reports(ReportResult(report), Reporting(report=paths), replace=False)
    assert json.loads(paths[0].read_text()) == report.to_json()
    assert paths[1].read_text().startswith("| Tensors | n |")
    assert len(paths[2].read_text().splitlines()) == 1 + len(report.tensors)


def test_the_format_of_stdout_is_chosen(report: Report) -> None:
    out = io.StringIO()
    show(ReportResult(report), Output(out, io.StringIO(), {}), Showing(json=True))
    assert json.loads(out.getvalue())["schema"] == "modelopt.report/1"
