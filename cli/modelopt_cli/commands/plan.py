"""Tell sizes, ratio and memory of a run from headers alone."""

from __future__ import annotations

from pathlib import Path

import click

from compress_core.errors import UsageError
from compress_core.presets import PRESETS, find
from modelopt_cli.command import Command, Flag
from modelopt_cli.completion import next_of
from modelopt_cli.request import asks_for_passes, called, spec_asked
from modelopt_cli.run import Run, runs_passes, source_argument


@click.command(cls=Command)
@click.pass_obj
@source_argument
@asks_for_passes
@click.option(
    "--compare",
    cls=Flag,
    section="Passes",
    metavar="PRESET,…",
    shell_complete=next_of(PRESETS),
    help="Several presets in one table, such as W8A16,W4A16.",
)
@click.option(
    "--exact",
    cls=Flag,
    section="Passes",
    is_flag=True,
    help="Read the data where headers give only an upper bound (thresholds, global scope).",
)
@click.option(
    "--measure",
    cls=Flag,
    section="Passes",
    is_flag=True,
    help="Read the data, quantize in memory and tell the error that a run would report.",
)
@runs_passes
def command(
    run: Run,
    passes: tuple[str, ...],
    spec: Path | None,
    compare: str | None,
    exact: bool,
    measure: bool,
) -> None:
    """Tell what a run on PATH would write, and write nothing.

    \b
    modelopt plan model.safetensors --pass 'quantize preset=W4A16'
    modelopt plan ./checkpoint --compare W8A16,W4A16
    modelopt plan ./checkpoint --compare W4A16,NF4,NVFP4A16 --measure

    Sizes are exact to the byte wherever they follow from the shapes; an upper bound is marked ≤.
    Gates of the spec on exact sizes are judged, with --measure those on errors and zeros too; one
    that fails is exit code 1.
    """
    if compare is None:
        asked = spec_asked(passes, spec)
        run.plan(asked, called(asked), exact=exact, measure=measure)
    elif passes or spec is not None:
        raise UsageError(
            "--compare takes the place of --pass and --spec",
            hint="leave --compare out; with --measure a plan of passes has its error too",
        )
    else:
        presets = dict.fromkeys(find(name.strip()) for name in compare.split(","))
        run.compare(list(presets), exact=exact, measure=measure)
