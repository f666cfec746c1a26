"""Flags that mean the same in every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core import Settings
from compress_core.errors import OutputError, OutputExistsError, UsageError
from modelopt_cli.options import Limiting, Writing
from modelopt_cli.result_options import Reporting, Showing


def test_limits_that_are_not_given_stay_those_of_the_core() -> None:
    usual = Settings(replace=True)
    assert Limiting().applied(usual) == usual
    assert Limiting(jobs=3).applied(usual) == Settings(replace=True, jobs=3)
    assert Limiting(max_memory=10**9).applied(usual).max_memory == 10**9


@pytest.mark.parametrize(
    ("writing", "source", "target"),
    [
        (Writing(), "a/model.safetensors", "model.int4.safetensors"),
        (Writing(), "a/model.packed.safetensors", "model.packed.int4.safetensors"),
        (Writing(output_dir=Path("out")), "a/model.safetensors", "out/model.int4.safetensors"),
        (Writing(output=Path("b.safetensors")), "a/model.safetensors", "b.safetensors"),
    ],
)
def test_target_of_a_file(writing: Writing, source: str, target: str) -> None:
    assert writing.target(Path(source), "int4") == Path(target)


def test_target_of_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    assert Writing().target(folder, "w4a16") == Path("tiny-w4a16")
    monkeypatch.chdir(folder)
    assert Writing(output_dir=Path("..")).target(Path("."), "w4a16") == Path("../tiny-w4a16")


def test_one_output_is_enough() -> None:
    with pytest.raises(UsageError, match="one of them is enough") as raised:
        Writing(output=Path("a"), output_dir=Path("b"))
    assert raised.value.hint == "--output b/a"


def test_json_is_a_format() -> None:
    assert Showing().chosen == "table"
    assert Showing(json=True).chosen == "json"
    assert Showing(json=True, format="json").chosen == "json"
    with pytest.raises(UsageError, match="exclude each other"):
        Showing(json=True, format="csv")


@pytest.mark.parametrize("name", ["report.txt", "report", "report.table", "report.JSON"])
def test_a_report_says_its_format(name: str) -> None:
    with pytest.raises(UsageError, match="no report format") as raised:
        Reporting(report=(Path(name),))
    assert raised.value.hint == "end the name in .csv or .json or .md"


def test_an_existing_report_is_kept(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    report.write_text("old")
    reporting = Reporting(report=(report, tmp_path / "r.md"))
    reporting.check(replace=True)
    with pytest.raises(OutputExistsError):
        reporting.check(replace=False)


class TestReportsAmongWeights:
    """A report never lands on the weights that it tells of."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        source = tmp_path / "in"
        source.mkdir()
        (source / "config.json").write_text("{}")
        return source

    @pytest.mark.parametrize("report", ["in/config.json", "in/sub/../new.json", "out.json"])
    def test_neither_in_the_input_nor_on_the_output(
        self, tmp_path: Path, source: Path, report: str
    ) -> None:
        reporting = Reporting(report=(tmp_path / report,))
        with pytest.raises(OutputExistsError, match="among the weights"):
            reporting.check(replace=True, weights=(source, tmp_path / "out.json"))

    def test_beside_them_is_well(self, tmp_path: Path, source: Path) -> None:
        Reporting(report=(tmp_path / "r.json",)).check(replace=True, weights=(source,))

    def test_the_folder_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="no such folder"):
            Reporting(report=(tmp_path / "missing" / "r.json",)).check(replace=False)

    def test_two_reports_need_two_files(self, tmp_path: Path) -> None:
        twice = (tmp_path / "r.json", tmp_path / "." / "r.json")
        with pytest.raises(UsageError, match="two reports"):
            Reporting(report=twice).check(replace=False)
