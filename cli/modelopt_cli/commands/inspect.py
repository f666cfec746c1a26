"""Show what is in files and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

import compress_core
from compress_core.errors import ModelOptError, UsageError
from modelopt_cli.bundles import PATH, takes
from modelopt_cli.command import Command, Flag, typed
from modelopt_cli.computing import begin_computing
from modelopt_cli.console import Output
from modelopt_cli.inspection import Contents, contents_of
from modelopt_cli.options import Limiting, Opening
from modelopt_cli.outcome import show
from modelopt_cli.render.of_contents import ContentsResult
from modelopt_cli.render.of_statistics import StatisticsResult
from modelopt_cli.result_options import Showing

if TYPE_CHECKING:
    from compress_core import Settings


@click.command(cls=Command)
@click.pass_obj
@click.argument("paths", metavar="PATH…", type=PATH, nargs=-1, required=True)
@click.option(
    "--stats",
    cls=Flag,
    section="Results",
    is_flag=True,
    help="Read the data too: range, zeros, NaN, a histogram, and values that need less room.",
)
@takes(Opening, Limiting, Showing)
def command(
    output: Output,
    paths: tuple[Path, ...],
    stats: bool,
    opening: Opening,
    limiting: Limiting,
    showing: Showing,
) -> None:
    """Show tensors, sizes and metadata of every PATH, a weight file or a checkpoint folder.

    Without --stats only headers are read. Of a file that modelopt compressed, what each tensor has
    become is shown, and the statistics are those of the values that restore would write.
    """
    if not stats and typed("max_memory", "jobs"):
        raise UsageError("headers are read without limits", hint="--stats reads the data")
    with _reading(output, limiting) if stats else nullcontext() as settings:
        found, failed = _all_of(paths, opening.key, settings)
    if found:
        shown = StatisticsResult if stats else ContentsResult
        show(shown(tuple(found), showing.per_tensor), output, showing)
    for contents in found:
        for note in contents.notes:
            output.note(note)
    for error in failed[:-1]:
        output.error(error)
    if failed:
        raise failed[-1]  # the exit code is decided where all are


@contextmanager
def _reading(output: Output, limiting: Limiting) -> Iterator[Settings]:
    """How the data of files are read, under a meter."""
    begin_computing()
    with output.metered() as meter:
        yield limiting.applied(compress_core.Settings(progress=meter))


def _all_of(
    paths: tuple[Path, ...], key: str | None, settings: Settings | None
) -> tuple[list[Contents], list[ModelOptError]]:
    from compress_core.opening import keys_for  # `--help` shall not wait for it

    found: list[Contents] = []
    failed: list[ModelOptError] = []
    for path, own in zip(paths, keys_for(paths, key), strict=True):
        try:
            found.append(contents_of(path, own, settings))
        except ModelOptError as error:
            failed.append(error)
    return found, failed
