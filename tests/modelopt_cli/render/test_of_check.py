"""Verdicts in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from compress_core.errors import UsageError
from compress_core.gates import Check, Gate, Growth, Limit, Measurement, Origin, Verdict
from compress_core.gates.verdict import TensorFigure
from compress_core.report import Report
from compress_core.select import patterns
from modelopt_cli.render import formats, renderer, renderer_for
from modelopt_cli.render.base import Look
from modelopt_cli.render.of_check import CheckResult
from modelopt_cli.render.of_report import ReportResult


def origin(line: int) -> Origin:
    return Origin("tool.modelopt.check.gates[0].max", "ci/pyproject.toml", line, 3)


def failing(count: int, name: str = "m.safetensors", tensor: str = "a") -> tuple[Verdict, ...]:
    limits = [Limit("max", 0.1, origin(number + 1)) for number in range(count)]
    return tuple(
        Verdict(
            name,
            Gate("error", (limit,), match=patterns([f"layer{number}.*"]), over="tensor"),
            limit,
            0.5,
            0.1,
            1,
            worst=tensor,
            breaches=(TensorFigure(tensor, 0.5),),
        )
        for number, limit in enumerate(limits)
    )


def checked(*verdicts: Verdict) -> Check:
    return Check(verdicts, (Measurement("m.safetensors", 10, ()),), "0")


@pytest.fixture
def check() -> Check:
    size, growth = Limit("max", 10), Limit("max_growth", Growth(1.0), origin(9))
    return checked(
        Verdict("m.safetensors", Gate("size", (size,)), size, 8, 10, 1),
        Verdict("m.safetensors", Gate("size", (growth,)), growth, 8, None, 1, baseline="b.json"),
        *failing(1),
    )


def rendered(name: str, check: Check, root: str | None = None) -> str:
    return renderer(name).render(CheckResult(check, root), Look())


def test_the_table(check: Check) -> None:
    assert rendered("table", check) == (
        " Gate                    Limit    Now    Slack   Verdict\n"
        " ───────────────────────────────────────────────────────\n"
        " size m                  ≤ 10 B   8 B    +2 B    ok\n"
        " growth vs b.json        +1 %     8 B    —       new\n"
        " error each of layer0.*  ≤ 0.100  0.500  −0.400  FAIL\n"
        "error each of layer0.*: 1 of 1 tensor beyond the limit: a 0.500\n"
    )


@pytest.mark.parametrize("name", formats(judged=True))
def test_every_format_ends_with_a_line_break(name: str, check: Check) -> None:
    text = rendered(name, check)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_json_and_csv(check: Check) -> None:
    assert json.loads(rendered("json", check)) == json.loads(json.dumps(check.to_json()))
    rows = list(csv.DictReader(io.StringIO(rendered("csv", check))))
    assert [row["status"] for row in rows] == ["ok", "new", "fail"]
    assert rows[2]["where"] == "ci/pyproject.toml:1:3  tool.modelopt.check.gates[0].max"
    assert rows[2]["match"] == "layer0.*"


def errors_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("::error ")]


def test_github_shows_what_failed(check: Check) -> None:
    text = rendered("github", check)
    assert errors_in(text) == [
        "::error file=ci/pyproject.toml,line=1,col=3,title=error each of layer0.*::"
        "m.safetensors: error 0.500, limit ≤ 0.100; 1 of 1 tensor beyond the limit: a 0.500"
    ]
    assert rendered("table", check) in text


def test_github_wants_files_from_the_root(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert "::error file=usr/ci/pyproject.toml," not in rendered("github", check)
    monkeypatch.chdir("/usr")
    assert "::error file=usr/ci/pyproject.toml," in rendered("github", check, "/")


@pytest.mark.parametrize(("count", "shown"), [(9, 9), (10, 10), (11, 10), (100, 10)])
def test_github_takes_ten_annotations(count: int, shown: int) -> None:
    found = errors_in(rendered("github", checked(*failing(count))))
    assert len(found) == shown
    rest = f"{count - 9} more gates failed: see the log or the summary"
    assert (rest in found[-1]) == (count > 10)


def test_a_flag_has_no_line() -> None:
    limit = Limit("max", 1, Origin("--max-size"))
    verdict = Verdict("m", Gate("size", (limit,)), limit, 2, 1, 0)
    assert errors_in(rendered("github", checked(verdict))) == [
        "::error title=size m::m: size 2 B, limit ≤ 1 B"
    ]


def test_names_cannot_command_github() -> None:
    name = "a\r\n::stop-commands::x%,y:z"
    text = rendered("github", checked(*failing(2, name, name)))
    lines = text.splitlines()
    word = re.fullmatch("::stop-commands::(modelopt-[0-9a-f]{32})", lines[2])
    assert word is not None
    assert lines[-1] == f"::{word[1]}::"
    assert text.count(word[1]) == 2
    for line in errors_in(text):
        assert re.fullmatch(r"::error (?:[a-z]+=[^:,]*,?)+::(?:[^%]|%25)*", line)


def test_junit() -> None:
    limit = Limit("max", 10)
    odd = "a<&\"'\x00\x1b]]>\ud800"
    good = Verdict("m", Gate("size", (limit,)), limit, 8, 10, 1)
    suites = ElementTree.fromstring(rendered("junit", checked(good, *failing(2, odd, odd))))
    assert suites.attrib == {
        "name": "modelopt",
        "tests": "3",
        "failures": "2",
        "errors": "0",
        "skipped": "0",
    }
    passed, first, _ = suites.iter("testcase")
    assert passed.attrib == {"classname": "m", "name": "size m ≤ 10 B"}
    assert list(passed) == []
    assert first.get("file") == "ci/pyproject.toml"
    assert first.get("line") == "1"
    (failure,) = first
    assert failure.get("message") == failure.text
    assert "a<&\"'\\x00\\x1b]]>\\ud800" in str(failure.text)


def test_no_two_cases_of_junit_have_the_same_name() -> None:
    limits = (Limit("max", 10), Limit("min", 5), Limit("max_growth", Growth(1)))
    gate = Gate("size", limits, baseline="b.json")
    most = Verdict("m", gate, limits[0], 8, 10, 1)
    least = Verdict("m", gate, limits[1], 8, 5, 1)
    grown = Verdict("m", gate, limits[2], 8, 11, 1, before=8, baseline="b.json")
    check = checked(most, least, grown, most)
    suites = ElementTree.fromstring(rendered("junit", check))
    assert [case.get("name") for case in suites.iter("testcase")] == [
        "size m ≤ 10 B",
        "size m ≥ 5 B",
        "growth vs b.json +1 %",
        "size m ≤ 10 B (2)",
    ]


def test_junit_skips_what_is_new(check: Check) -> None:
    suites = ElementTree.fromstring(rendered("junit", check))
    assert suites.get("skipped") == "1"
    assert len(list(suites.iter("skipped"))) == 1


def test_only_verdicts_have_junit() -> None:
    assert "junit" in formats(judged=True)
    assert "junit" not in formats()
    assert renderer_for(Path("a.xml"), judged=True) is renderer("junit")
    with pytest.raises(UsageError, match="no report format"):
        renderer_for(Path("a.xml"))
    with pytest.raises(UsageError, match="no report format"):
        renderer_for(Path("a.github"), judged=True)


def test_a_run_shows_its_verdicts_below(report: Report, check: Check) -> None:
    result = ReportResult(report, check=check)
    text = renderer("table").render(result, Look())
    assert text.endswith("\n" + rendered("table", check))
    assert errors_in(renderer("github").render(result, Look())) == errors_in(
        rendered("github", check)
    )
    found = result.to_json()
    assert found["check"] == check.to_json()
    assert found["schema"] == "modelopt.report/1"


def test_a_run_without_gates_has_no_annotations(report: Report) -> None:
    assert errors_in(renderer("github").render(ReportResult(report), Look())) == []
    assert "check" not in ReportResult(report).to_json()
