"""The page of a step in GitHub Actions."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from modelopt_cli.console import Output
from modelopt_cli.summary import MOST_SUMMARY, append_within


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "summary.md"


def output(err: io.StringIO, path: Path | str) -> Output:
    return Output(io.StringIO(), err, {"GITHUB_STEP_SUMMARY": str(path)})


def test_it_is_appended_to(page: Path) -> None:
    page.write_text("# before\n")
    output(io.StringIO(), page).summary("| é |\n")
    assert page.read_text(encoding="utf-8") == "# before\n| é |\n"


def test_elsewhere_there_is_none(tmp_path: Path) -> None:
    Output(io.StringIO(), io.StringIO(), {}).summary("x\n")
    output(io.StringIO(), "").summary("x\n")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    err = io.StringIO()
    output(err, tmp_path).summary("x\n")
    assert err.getvalue().startswith("note: the step summary cannot be written: ")


@pytest.mark.parametrize("before", [0, 100, 700, 990, 1000, 1100])
def test_it_stays_within_and_is_cut_at_lines(page: Path, before: int) -> None:
    page.write_bytes(b"x" * before)
    append_within(page, "| é line |\n" * 100, 1000)
    data = page.read_bytes()
    assert len(data) <= max(before, 1000)
    added = data[before:].decode()
    if added:
        *lines, _, cut, end = added.split("\n")
        assert set(lines) <= {"| é line |"}
        assert cut == f"… and {100 - len(lines)} more lines: see the log of this step."
        assert end == ""


def test_what_fits_is_whole(page: Path) -> None:
    text = "12345678\n" * 10
    append_within(page, text, len(text))
    assert page.read_text() == text


def test_the_limit_is_that_of_github() -> None:
    assert MOST_SUMMARY == 1024 * 1024
