"""Every format writes every kind of result."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from compress_core.errors import UsageError
from compress_core.report import ErrorResult, Report
from modelopt_cli.render import file_suffixes, formats, renderer, renderer_for
from modelopt_cli.render.base import Look, Result
from modelopt_cli.render.of_comparison import Comparison
from modelopt_cli.render.of_report import ReportResult


@pytest.fixture(params=["report", "comparison"])
def result(request: pytest.FixtureRequest, report: Report) -> Result:
    if request.param == "report":
        return ReportResult(report)
    return Comparison(
        {"W4A16": replace(report, kind="plan"), "W8A16": replace(report, kind="plan")}
    )


def test_formats_are_modules() -> None:
    assert {"csv", "json", "md", "table"} <= set(formats())
    assert {".csv", ".json", ".md"} <= set(file_suffixes())
    assert ".table" not in file_suffixes()


def test_a_suffix_chooses_the_format() -> None:
    assert renderer_for(Path("a.b.json")) is renderer("json")
    with pytest.raises(UsageError):
        renderer_for(Path("a.xml"))


@pytest.mark.parametrize("name", formats())
def test_text_ends_with_a_line_break(name: str, result: Result) -> None:
    text = renderer(name).render(result, Look())
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_json_is_exact_and_ascii(result: Result) -> None:
    text = renderer("json").render(result, Look())
    assert text.isascii()
    assert json.loads(text) == json.loads(json.dumps(result.to_json()))


def test_json_has_no_word_for_infinity(report: Report) -> None:
    odd = replace(report.tensors[1], measured=ErrorResult(1.0, 0.0, math.nan))
    text = renderer("json").render(ReportResult(replace(report, tensors=(odd,))), Look())
    (tensor,) = json.loads(text)["tensors"]
    assert (tensor["error"], tensor["max_abs"]) == (None, None)


def test_csv_is_a_line_a_record(result: Result) -> None:
    rows = list(csv.DictReader(io.StringIO(renderer("csv").render(result, Look()))))
    assert len(rows) == len(result.records())
    assert rows[0]["bytes_out"] == str(result.records()[0]["bytes_out"])


def test_csv_of_nothing(report: Report) -> None:
    assert renderer("csv").render(ReportResult(replace(report, tensors=())), Look()) == "\n"


def test_csv_keeps_names_on_their_line(report: Report) -> None:
    odd = replace(report.tensors[0], name='a,"b"\n\x1b[2J')
    text = renderer("csv").render(ReportResult(replace(report, tensors=(odd,))), Look())
    assert len(text.splitlines()) == 2
    assert "\x1b" not in text
    assert next(csv.DictReader(io.StringIO(text)))["name"] == 'a,"b"\\n\\x1b[2J'


def test_markdown(report: Report) -> None:
    lines = renderer("md").render(ReportResult(report), Look()).splitlines()
    assert lines[0] == (
        "| Tensors | n | To | MiB in | MiB out | Ratio | Error | SQNR dB | max \\|Δ\\| |"
    )
    assert lines[3] == (
        "| `layers.*.mlp.gate_proj` | 2 | int4 g128 | 2.75 | 0.71 | 3.88× | 0.159 | 16.0 | 0.0310 |"
    )
    assert lines[-1] == "Wrote tiny-w4a16 · layout packed · for modelopt restore"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("a|b", "`a\\|b`"),
        ("a`b", "`` a`b ``"),
        ("<img src=x>", "`<img src=x>`"),
        ("a\nb", "`a\\nb`"),
    ],
)
def test_markdown_shows_names_as_they_are(report: Report, name: str, cell: str) -> None:
    odd = replace(report.tensors[0], name=name)
    lines = (
        renderer("md").render(ReportResult(replace(report, tensors=(odd,))), Look()).splitlines()
    )
    assert lines[2].startswith(f"| {cell} |")


def test_a_comparison_has_a_line_a_plan(report: Report) -> None:
    totals = replace(report.totals, measured=None, zeros=None)
    tight = replace(report, kind="plan", totals=totals)
    loose = replace(tight, totals=replace(totals, exactness="at most"))
    result = Comparison({"W4A16": tight, "loose": loose})
    lines = renderer("table").render(result, Look()).splitlines()
    assert lines == [
        " Plan   MiB in  MiB out   Ratio  Bits/weight  Layout",
        " ───────────────────────────────────────────────────",
        " W4A16    5.75     2.97   1.94×         8.26  packed",
        " loose    5.75    ≤2.97  ≥1.94×        ≤8.26  packed",
    ]


def test_a_comparison_that_was_measured_shows_errors(report: Report) -> None:
    """The kept embedding weighs in bits, error and SQNR, and not in the gap."""
    result = Comparison({"W4A16": replace(report, kind="plan")})
    lines = renderer("table").render(result, Look()).splitlines()
    assert lines[:3] == [
        " Plan   MiB out  Ratio  Bits  Error  SQNR dB  Gap dB  Layout",
        " ───────────────────────────────────────────────────────────",
        " W4A16     2.97  1.94×  8.26  0.114     18.9     8.8  packed",
    ]
    assert [line.partition(":")[0] for line in lines[3:]] == [
        "Bits a weight, error ‖W−Ŵ‖/‖W‖, SQNR",
        "Gap",
    ]
