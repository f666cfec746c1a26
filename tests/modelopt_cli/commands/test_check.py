"""``modelopt check``, and the gates of commands that write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from safetensors.numpy import load_file

from compress_core import Settings
from modelopt_cli.commands.check import command


@pytest.fixture
def packed(cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small file in four bits, in the current folder."""
    monkeypatch.chdir(weights.parent)
    for variable in ("GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(variable, raising=False)
    assert cli("quantize", weights, "--bits", "4", "-o", "packed.safetensors").code == 0
    return Path("packed.safetensors")


def test_gates_pass(cli: Any, packed: Path) -> None:
    ran = cli("check", packed, "--max-size", "1 MiB", "--max-error", "0.2", "--min-ratio", "2")
    assert (ran.code, ran.err) == (0, "")
    size, ratio, error = ran.out.splitlines()[2:]
    assert size.startswith(" size packed ")
    assert " ≥ 2.00×  " in ratio
    assert error.endswith("  ok")


def test_a_gate_fails(cli: Any, packed: Path) -> None:
    ran = cli("check", packed, "--max-size", "1 KiB")
    assert ran.code == 1
    assert ran.out.splitlines()[2].endswith("  FAIL")
    assert ran.err == (
        "error: 1 of 1 gate failed. Limit set by --max-size.\n"
        "hint: modelopt inspect packed.safetensors --per-tensor\n"
    )


def test_a_plan_can_start_from_the_original(cli: Any, packed: Path, weights: Path) -> None:
    ran = cli("check", packed, "--max-size", "1 KiB", "--against", weights)
    assert f"hint: modelopt plan {weights} --compare W8A16,W4A16,W3A16" in ran.err.replace(
        "\n  ", " "
    )


def test_the_original_tells_the_error(cli: Any, packed: Path, weights: Path) -> None:
    gate = ("--max-error", "0.01", "--json")
    by_record = json.loads(cli("check", packed, *gate).out)
    by_both = json.loads(cli("check", packed, *gate, "--against", weights).out)
    assert by_record["gates"] == by_both["gates"]
    assert (by_record["against"], by_both["against"]) == (None, str(weights))


def test_patterns_narrow_the_gates_of_flags(cli: Any, packed: Path) -> None:
    whole = json.loads(cli("check", packed, "--max-error", "1", "--json").out)
    some = json.loads(cli("check", packed, "--max-error", "1", "--match", "*.mlp.*", "--json").out)
    assert some["gates"][0]["measured"] == 2
    assert some["gates"][0]["now"] > whole["gates"][0]["now"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["packed.safetensors"], "no gate: nothing would be checked"),
        (["no.safetensors", "--max-size", "1"], "no such weight file"),
        (["*.nothing", "--max-size", "1"], "no such weight file"),
        (["--max-size", "1"], "nothing to check"),
        (["small.safetensors", "--max-error", "1"], "nothing in this file tells the error"),
        (["packed.safetensors", "--max-error", "1", "--match", "x"], "matched no tensor"),
        (["packed.safetensors", "--max-size", "1", "--match", "x"], "for the gates of other flags"),
        (["packed.safetensors", "--max-growth", "1%"], "growth from what?"),
        (["packed.safetensors", "--max-growth", "1%", "--baseline", "b.json"], "no such baseline"),
        (["packed.safetensors", "--max-growth", "1"], "no such baseline"),
        (["packed.safetensors", "--update-baseline"], "update which baseline?"),
        (["packed.safetensors", "--max-size", "10M"], "--max-size: unknown unit"),
        (["packed.safetensors", "--max-error", "x"], "--max-error: not a number: 'x'"),
        (["packed.safetensors", "--max-error", "nan"], "--max-error: nan is no limit of error"),
        (["packed.safetensors", "--max-growth", "x"], "--max-growth: not a growth: 'x'"),
        (["packed.safetensors", "--spec", "no.yaml"], "the spec cannot be read"),
        (["packed.safetensors", "--max-size", "1", "--report", "a.html"], "no report format"),
        (["packed.safetensors", "--json", "--format", "junit"], "exclude each other"),
    ],
)
def test_what_is_no_check_exits_with_2(
    cli: Any, packed: Path, arguments: list[str], message: str
) -> None:
    assert packed.exists()
    if arguments[-2:] == ["--max-growth", "1"]:
        arguments = [*arguments, "--baseline", "b.json"]
    ran = cli("check", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in " ".join(ran.err.split())


def test_a_damaged_file_or_baseline_exits_with_3(cli: Any, packed: Path) -> None:
    Path("b.json").write_text("{")
    assert cli("check", packed, "--max-growth", "1%", "--baseline", "b.json").code == 3
    packed.write_bytes(packed.read_bytes()[:-1])
    assert cli("check", packed, "--max-size", "1 GiB").code == 3


def test_reports_are_written_even_when_a_gate_fails(cli: Any, packed: Path) -> None:
    reports = [f"r.{suffix}" for suffix in ("xml", "md", "csv", "json")]
    flags = [word for report in reports for word in ("--report", report)]
    assert cli("check", packed, "--max-size", "1", *flags).code == 1
    assert all(Path(report).stat().st_size for report in reports)


def test_a_report_takes_the_place_of_the_last_one(cli: Any, packed: Path) -> None:
    assert cli("check", packed, "--max-size", "1", "--report", "r.json").code == 1
    assert cli("check", packed, "--max-size", "1GiB", "--report", "r.json").code == 0
    assert json.loads(Path("r.json").read_text())["passed"]


@pytest.mark.parametrize("named", ["packed.json", "packed.js*"])
def test_a_report_may_not_take_the_place_of_weights(cli: Any, packed: Path, named: str) -> None:
    weights = packed.rename("packed.json")
    ran = cli("check", named, "--max-size", "1", "--report", weights)
    assert (ran.code, ran.out) == (2, "")
    assert "among the weights" in ran.err


def test_a_report_may_not_take_the_place_of_the_original(
    cli: Any, packed: Path, weights: Path
) -> None:
    original = weights.rename("original.json")
    ran = cli(
        "check", packed, "--max-error", "1", "--against", original, "--report", "original.json"
    )
    assert (ran.code, ran.out) == (2, "")
    assert "among the weights" in ran.err


def test_a_report_may_not_take_the_place_of_the_baseline(cli: Any, packed: Path) -> None:
    growth = ("--max-growth", "1%", "--baseline", "b.json")
    assert cli("check", packed, *growth, "--update-baseline").code == 0
    before = Path("b.json").read_bytes()
    ran = cli("check", packed, *growth, "--report", "b.json")
    assert (ran.code, ran.out, Path("b.json").read_bytes()) == (2, "", before)
    assert "the place of the baseline" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("absent%", "--max-size", "1"), 2, "no such weight file (absent%25)"),
        (("bad", "--max-size", "1"), 3, "not a weight file (bad)"),
        (("bad", "--max-size", "10M"), 2, "--max-size: unknown unit in size '10M'"),
    ],
)
def test_github_sees_why_there_is_no_verdict(
    cli: Any, packed: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    packed.with_name("bad").write_bytes(b"x")
    ran = cli("check", *arguments, "--format", "github")
    assert ran.code == code
    assert ran.out == f"::error title=modelopt::{said}\n"
    assert cli("check", *arguments).out == ""


def test_a_gate_that_failed_is_annotated_once(cli: Any, packed: Path) -> None:
    ran = cli("check", packed, "--max-size", "1", "--format", "github")
    assert ran.out.count("::error ") == 1


def test_the_step_summary_of_github(
    cli: Any, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "page.md"))
    ran = cli("check", packed, "--max-size", "1", "--format", "github")
    assert ran.out.startswith("::error title=size packed.safetensors::packed.safetensors: size ")
    assert (tmp_path / "page.md").read_text().startswith("| Gate | Limit | Now |")


def test_files_are_named_from_the_workspace(
    cli: Any, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("sub").mkdir()
    Path("sub/pyproject.toml").write_text(
        "[tool.modelopt.check]\npaths = ['../packed.safetensors']\n"
        "gates = [{metric = 'size', max = 1}]\n"
    )
    monkeypatch.setenv("GITHUB_WORKSPACE", str(packed.absolute().parent))
    monkeypatch.chdir("sub")
    ran = cli("check", "--format", "github")
    assert ran.out.startswith("::error file=sub/pyproject.toml,line=3,col=28,title=")


def test_a_reader_who_has_gone_does_not_make_it_a_pass(
    packed: Path, clean_environment: dict[str, str]
) -> None:
    read, write = os.pipe()
    os.close(read)
    codes = []
    for bound in ("1", "1 GiB"):
        done = subprocess.run(
            [sys.executable, "-m", "modelopt_cli", "check", packed, "--max-size", bound],
            stdout=write,
            stderr=subprocess.DEVNULL,
            env=clean_environment,
            check=False,
        )
        codes.append(done.returncode)
    os.close(write)
    assert codes == [1, 0]


SPEC = """\
version: 1
passes: [{{pass: quantize, bits: 4}}]
gates:
  - {{metric: error, max: {bound}}}
"""


@pytest.fixture
def spec(packed: Path) -> Any:
    def write(bound: float) -> Path:
        path = Path("w4.yaml")
        path.write_text(SPEC.format(bound=bound))
        return path

    assert packed.exists()
    return write


def test_a_spec_is_judged_by_check(cli: Any, packed: Path, spec: Any) -> None:
    assert cli("check", packed, "--spec", spec(0.5)).code == 0
    ran = cli("check", packed, "--spec", spec(0.01))
    assert ran.code == 1
    assert "Limit set in w4.yaml, line 4." in ran.err


def test_a_run_is_judged_by_its_spec(cli: Any, weights: Path, spec: Any) -> None:
    ran = cli("compress", weights, "--spec", spec(0.5), "-o", "a.safetensors")
    assert (ran.code, ran.out.splitlines()[-1].split()[-1]) == (0, "ok")
    ran = cli("compress", weights, "--spec", spec(0.01), "-o", "b.safetensors")
    assert ran.code == 1
    assert "error: 1 of 1 gate failed. Limit set in w4.yaml, line 4." in ran.err
    assert "hint: modelopt diff" in ran.err
    # the output stays, and is what it would have been
    assert Path("a.safetensors").read_bytes() == Path("b.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["compress", "quantize"])
def test_before_write_a_failed_gate_leaves_nothing(
    cli: Any, weights: Path, spec: Any, name: str
) -> None:
    flags = {
        "compress": ["--spec", spec(0.01)],
        "quantize": ["--bits", "4", "--max-error", "0.01"],
    }[name]
    before = sorted(Path().iterdir())
    ran = cli(name, weights, *flags, "--gate-before-write", "-o", "out.safetensors")
    assert ran.code == 1
    assert "1 of 1 gate failed; nothing was written." in ran.err
    assert "Wrote" not in ran.out
    assert sorted(Path().iterdir()) == before


def test_before_write_a_folder_is_left_out_too(cli: Any, samples: Path, tmp_path: Path) -> None:
    ran = cli(
        "prune", samples / "fracast-bf16", "--sparsity", "0.9", "--max-error", "0.1",
        "--gate-before-write", "-O", tmp_path,
    )  # fmt: skip
    assert ran.code == 1
    assert list(tmp_path.iterdir()) == []


def test_before_write_what_passes_is_written(cli: Any, weights: Path, spec: Any) -> None:
    ran = cli(
        "compress", weights, "--spec", spec(0.5), "--gate-before-write", "-o", "out.safetensors"
    )
    assert ran.code == 0
    assert "Wrote out.safetensors" in ran.out
    assert load_file("out.safetensors")


def test_an_existing_output_survives_a_failed_gate(cli: Any, weights: Path, packed: Path) -> None:
    old = packed.read_bytes()
    flags = ["--bits", "2", "--max-error", "0.01", "--gate-before-write", "-fo", packed]
    assert cli("quantize", weights, *flags).code == 1
    assert packed.read_bytes() == old


def test_json_of_a_run_with_gates_is_one_document(cli: Any, weights: Path, spec: Any) -> None:
    ran = cli("compress", weights, "--spec", spec(0.01), "--json", "-o", "a.safetensors")
    document = json.loads(ran.out)
    assert document["schema"] == "modelopt.report/1"
    assert document["check"]["passed"] is False
    # what the file itself says later
    later = json.loads(cli("check", "a.safetensors", "--spec", spec(0.01), "--json").out)
    assert later["gates"] == document["check"]["gates"]


def test_flags_win_over_the_gates_of_a_spec(cli: Any, weights: Path, spec: Any) -> None:
    ran = cli("compress", weights, "--spec", spec(0.01), "--max-error", "1", "-o", "a.safetensors")
    assert ran.code == 0
    assert "note: gates: those of the flags, not those of the spec" in ran.err


def test_flags_become_gates_of_the_spec(cli: Any, weights: Path) -> None:
    out = cli("quantize", weights, "--bits", "4", "--max-size", "25 MiB", "--print-spec").out
    assert out.endswith("gates:\n  - metric: size\n    max: 25 MiB\n")


def test_a_gate_that_can_find_nothing_is_refused_before_work(
    cli: Any, weights: Path, packed: Path
) -> None:
    assert packed.exists()
    path = Path("bad.yaml")
    gates = (
        "{metric: error, max: 1, match: nothing}",
        "{metric: size, max_growth: 1%, baseline: no.json}",
        "{metric: size, max_growth: 1%}",
    )
    for gate in gates:
        path.write_text(f"version: 1\npasses: [{{pass: quantize, bits: 4}}]\ngates: [{gate}]\n")
        ran = cli("compress", weights, "--spec", path, "-o", "out.safetensors")
        assert (ran.code, ran.out) == (2, ""), gate
        assert not Path("out.safetensors").exists()


def test_a_run_may_grow_within_its_baseline(cli: Any, weights: Path, packed: Path) -> None:
    path = Path("grow.yaml")
    gate = "{metric: size, max_growth: 1%, baseline: b.json}"
    path.write_text(f"version: 1\npasses: [{{pass: quantize, bits: 4}}]\ngates: [{gate}]\n")
    flags = ["--baseline", "b.json", "--update-baseline"]
    assert cli("check", packed, *flags).code == 0
    run = ["compress", weights, "--spec", path, "-fo"]
    assert cli(*run, packed).code == 0
    new = cli(*run, "new.safetensors")
    assert (new.code, new.out.splitlines()[-1].split()[-1]) == (0, "new")
    assert "note: new, not in b.json: new.safetensors" in new.err
    path.write_text(path.read_text().replace("bits: 4", "bits: 5"))
    assert cli(*run, packed).code == 1


def test_defaults_are_those_of_the_core() -> None:
    defaults = {parameter.name: parameter.default for parameter in command.params}
    assert defaults["on_unmatched"] == Settings().on_unmatched


def test_a_plan_is_judged_by_sizes(cli: Any, packed: Path, weights: Path) -> None:
    spec = Path("s.yaml")
    spec.write_text(
        "version: 1\npasses: [{pass: quantize, bits: 4}]\n"
        "gates: [{metric: size, max: 1 KiB}, {metric: error, max: 0.1}]\n"
    )
    ran = cli("plan", weights, "--spec", spec)
    assert ran.code == 1
    assert "  FAIL\n" in ran.out
    assert "note: not judged by plan: error\n" in ran.err
    assert "error: 1 of 1 gate failed; nothing was written. Limit set in s.yaml, line 3." in ran.err
    tried = cli("quantize", weights, "--bits", "4", "--dry-run", "--max-size", "1GiB", "--json")
    assert tried.code == 0
    assert json.loads(tried.out)["check"]["passed"]


def test_a_plan_does_not_judge_an_upper_bound(cli: Any, packed: Path, weights: Path) -> None:
    flags = ("--threshold", "0.5", "--dry-run", "--max-size", "1")
    ran = cli("prune", weights, *flags)
    assert (ran.code, "FAIL" in ran.out) == (0, False)
    assert "not judged by plan: size" in ran.err


REPORTS = ("r.xml", "r.md", "r.csv", "r.json")


@pytest.fixture
def green(cli: Any, packed: Path) -> tuple[str, ...]:
    """The flags of reports that a check has left, which passed."""
    flags = tuple(word for report in REPORTS for word in ("--report", report))
    assert cli("check", packed, "--max-size", "1GiB", *flags).code == 0
    return flags


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("damaged.safetensors", "--max-size", "1GiB"), 3),
        (("absent.safetensors", "--max-size", "1GiB"), 2),
        (("packed.safetensors",), 2),
        (("packed.safetensors", "--spec", "absent.yaml"), 2),
        (("packed.safetensors", "--max-size", "10M"), 2),
        (("packed.safetensors", "--max-size", "1", "--on-unmatched", "never"), 2),
    ],
)
def test_without_a_verdict_no_earlier_one_stays(
    cli: Any, packed: Path, green: tuple[str, ...], arguments: tuple[str, ...], code: int
) -> None:
    Path("damaged.safetensors").write_bytes(packed.read_bytes()[:100])
    ran = cli("check", *green, *arguments)
    assert ran.code == code
    assert [name for name in REPORTS if Path(name).exists()] == ["r.xml"]
    (suite,) = ElementTree.parse("r.xml").getroot()
    assert {key: suite.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "1",
        "failures": "0",
        "errors": "1",
    }
    error = suite.find("testcase/error")
    assert error is not None
    assert ran.err.startswith(f"error: {error.get('message', '').partition(' (')[0]}")


def test_a_bug_leaves_no_verdict_either(
    cli: Any, packed: Path, green: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelopt_cli.commands.check.begin_computing", lambda: 1 // 0)
    assert cli("check", packed, "--max-size", "1GiB", *green).code == 70
    assert [name for name in REPORTS if Path(name).exists()] == ["r.xml"]


def test_what_is_no_report_is_never_removed(cli: Any, packed: Path) -> None:
    """A baseline, for one, and whatever somebody else has written there."""
    own = {
        "b.json": '{"schema": "modelopt.baseline/1", "files": {}}',
        "n.md": "notes",
        "n.xml": "<x/>",
    }
    for name, text in own.items():
        Path(name).write_text(text)
    flags = [word for name in own for word in ("--report", name)]
    assert cli("check", packed, "--spec", "absent.yaml", *flags).code == 2
    assert {name: Path(name).read_text() for name in own} == own


def test_help_leaves_reports_alone(cli: Any, green: tuple[str, ...]) -> None:
    assert cli("check", *green, "--help").code == 0
    assert all(Path(name).exists() for name in REPORTS)
