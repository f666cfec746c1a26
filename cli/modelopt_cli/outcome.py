"""What follows the work: report files, the result on stdout, and what must be said besides."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from compress_core.atomic import write_text
from compress_core.errors import ModelOptError, OutputExistsError
from modelopt_cli.console import Output
from modelopt_cli.render import renderer
from modelopt_cli.render.base import Look, Result
from modelopt_cli.render.earlier import is_report
from modelopt_cli.result_options import Formatting, Reporting
from modelopt_cli.stdout import ReaderGoneError

if TYPE_CHECKING:
    from compress_core import Check, Report


def show(result: Result, output: Output, showing: Formatting) -> None:
    """The result on stdout, in the format that was asked for; for GitHub, in its summary too."""
    if showing.chosen == "github":
        output.summary(renderer("md").render(result, Look()))
    output.result(renderer(showing.chosen).render(result, output.look()))


@contextmanager
def kept_verdict(check: Check) -> Iterator[None]:
    """Nobody may read stdout any more: that must not hide a gate that failed."""
    try:
        yield
    except ReaderGoneError:
        if not check.failed:
            raise


def write_reports(result: Result, reporting: Reporting, *, replace: bool) -> None:
    """The result in every file that was asked for."""
    for path in reporting.report:
        write_text(path, reporting.renderer(path).render(result, Look()), replace=replace)


def withdraw_reports(paths: Iterable[Path]) -> None:
    """Remove what an earlier check wrote there, before anything can keep this one from writing."""
    for path in paths:
        if is_report(path):
            with suppress(OSError):  # that it cannot be written is said by what writes it
                path.unlink()


def report_error(error: ModelOptError, paths: Iterable[Path]) -> None:
    """Leave no report of an earlier check, and in JUnit files why there is none of this one."""
    from modelopt_cli.render import judged_as_junit as junit  # with a parser of XML

    paths = list(paths)
    withdraw_reports(paths)
    if isinstance(error, OutputExistsError):
        return  # it may be about the report itself
    for path in paths:
        if path.suffix == junit.SUFFIX and not os.path.lexists(path):
            with suppress(ModelOptError):  # stderr has it already
                write_text(path, junit.without_verdict(error), replace=False)


def tell(report: Report, output: Output) -> None:
    """The notes of a report, and why tensors were kept."""
    for note in report.notes:
        output.note(note)
    kept = [tensor for tensor in report.tensors if tensor.kept_because]
    if kept and report.spec.get("passes"):
        noun = "tensor" if len(kept) == 1 else "tensors"
        output.note(f"{len(kept)} {noun} kept: {_counted(tensor.kept_because for tensor in kept)}")
    for tensor in kept:
        output.detail(f"kept {tensor.name}: {tensor.kept_because}")


def _counted(reasons: Iterable[str | None]) -> str:
    return ", ".join(f"{reason} ({count})" for reason, count in Counter(reasons).most_common())
