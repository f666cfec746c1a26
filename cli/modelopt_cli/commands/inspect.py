"""Show what is in files and checkpoints, from their headers alone."""

from __future__ import annotations

from pathlib import Path

import click

from compress_core.errors import ModelOptError
from modelopt_cli.command import Command
from modelopt_cli.console import Output
from modelopt_cli.inspection import Contents, contents_of
from modelopt_cli.options import PATH, Showing, takes
from modelopt_cli.outcome import show
from modelopt_cli.render.of_contents import ContentsResult


@click.command(cls=Command)
@click.pass_obj
@click.argument("paths", metavar="PATH…", type=PATH, nargs=-1, required=True)
@takes(Showing)
def command(output: Output, paths: tuple[Path, ...], showing: Showing) -> None:
    """Show tensors, sizes and metadata of every PATH, a safetensors file or a checkpoint folder.

    Only headers are read. Of a file that modelopt compressed, what each tensor has become is shown.
    """
    found, failed = _all_of(paths)
    if found:
        show(ContentsResult(tuple(found), showing.per_tensor), output, showing)
    for contents in found:
        for note in contents.notes:
            output.note(note)
    for error in failed[:-1]:
        output.error(error)
    if failed:
        raise failed[-1]  # the exit code is decided where all are


def _all_of(paths: tuple[Path, ...]) -> tuple[list[Contents], list[ModelOptError]]:
    found: list[Contents] = []
    failed: list[ModelOptError] = []
    for path in paths:
        try:
            found.append(contents_of(path))
        except ModelOptError as error:
            failed.append(error)
    return found, failed
