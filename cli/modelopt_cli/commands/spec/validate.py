"""Check spec files, alone or against weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

import compress_core
from compress_core.errors import ModelOptError, SpecError, UsageError
from compress_core.select import unmatched
from compress_core.spec import Spec, load
from modelopt_cli.bundles import PATH, takes
from modelopt_cli.command import Command, Flag
from modelopt_cli.console import Output
from modelopt_cli.options import Opening
from modelopt_cli.printable import printable


@click.command(cls=Command)
@click.pass_obj
@click.argument("paths", metavar="PATH…", type=PATH, nargs=-1, required=True)
@click.option(
    "--against",
    cls=Flag,
    type=PATH,
    metavar="WEIGHTS",
    help="Also check that patterns match in this file or folder and that a run can be planned.",
)
@takes(Opening)
def command(
    output: Output, paths: tuple[Path, ...], against: Path | None, opening: Opening
) -> None:
    """Check that every PATH is a spec; a mistake is shown with its line and column.

    Of WEIGHTS, only headers are read. The exit code is 2 when a spec is wrong.
    """
    if against is not None:
        # what is wrong with it is said once
        compress_core.open_weights(against, opening.key).close()
    elif opening.key is not None:
        raise UsageError("--key is about weights", hint="name them: --against WEIGHTS")
    mistakes: list[ModelOptError] = []
    for path in paths:
        found, verdict = _checked(path, against, opening.key, output)
        mistakes += found
        if not found:
            output.result(f"{printable(str(path))}: {verdict}\n")
    for error in mistakes[:-1]:
        output.error(error)
    if mistakes:
        raise mistakes[-1]  # the exit code is decided where all are


def _checked(
    path: Path, against: Path | None, key: str | None, output: Output
) -> tuple[Sequence[ModelOptError], str]:
    """The mistakes of one spec, and what to say when there are none."""
    try:
        spec = load(path)
        if against is None:
            return [], "valid"
        verdict = _planned(spec, path, against, key, output)
        return _unmatched(spec, against, key), verdict
    except ModelOptError as error:
        return [error], ""


def _planned(spec: Spec, path: Path, against: Path, key: str | None, output: Output) -> str:
    """What the spec would do to the weights.

    :raises SpecError: it cannot be carried out on them.
    """
    # the caller tells all patterns that match nothing
    settings = compress_core.Settings(key=key, on_unmatched="ignore")
    try:
        report = compress_core.plan(against, spec, settings)
    except UsageError as error:
        where = f"{path}  {error.where}" if error.where else str(path)
        raise SpecError(error.message, where=where, hint=error.hint) from error
    for note in report.notes:
        output.note(f"{path}: {note}")
    changed = sum(tensor.kept_because is None for tensor in report.tensors)
    count = len(report.tensors)
    return f"valid for {printable(str(against))}, changes {changed} of {count} tensors"


def _unmatched(spec: Spec, against: Path, key: str | None) -> Sequence[ModelOptError]:
    with compress_core.open_weights(against, key) as reader:
        return unmatched(spec.written, list(reader.infos), advice="fix the pattern")
