"""Run one spec on many files, and go on where an earlier run ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import click
from click.exceptions import Exit

from compress_core import __version__
from compress_core.batch import (
    BatchReport,
    Item,
    Outcome,
    Shard,
    prepare,
    refuse_overlaps,
    refuse_strangers,
    tidy_up,
)
from compress_core.gates import Judge
from compress_core.spec import Spec
from modelopt_cli.batch_options import Gathering, Sharing
from modelopt_cli.batching import Batching
from modelopt_cli.bundles import takes
from modelopt_cli.command import Command
from modelopt_cli.console import Output
from modelopt_cli.options import Formatting, Replacing, Reporting, Selecting, Storing
from modelopt_cli.outcome import show, write_reports
from modelopt_cli.render.of_batch import BatchResult
from modelopt_cli.request import asks_for_passes, narrowed, spec_asked
from modelopt_cli.workers.orders import Setup
from modelopt_cli.workers.pool import Pool


@click.command(cls=Command)
@click.pass_obj
@click.argument("paths", metavar="[PATH…]", nargs=-1)
@takes(Gathering)
@asks_for_passes
@takes(Sharing, Selecting, Storing, Replacing, Formatting, Reporting)
def command(
    output: Output,
    paths: tuple[str, ...],
    passes: tuple[str, ...],
    spec: Path | None,
    gathering: Gathering,
    sharing: Sharing,
    selecting: Selecting,
    storing: Storing,
    replacing: Replacing,
    formatting: Formatting,
    reporting: Reporting,
) -> None:
    """Run one spec on every PATH: weight files, checkpoint folders, folders of such, patterns.

    \b
    modelopt batch models --spec w4.yaml -O out -j 2 --keep-going
    modelopt batch 'runs/*/model.safetensors' --pass 'quantize bits=4' -O out --shard auto

    The outputs lie in DIR as the inputs do in the folder that has them all. The same command again
    does only what is missing or has changed, whatever ended the first one.
    """
    asked = narrowed(spec_asked(passes, spec), selecting, storing)
    reporting, asked = reporting.also(asked.report), replace(asked, report=())
    reporting.check(replace=True)  # the same command again is how a batch goes on
    Judge(asked.gates)  # a missing baseline shall be known before the work
    shard = sharing.chosen()
    items = _checked(gathering, paths, shard, replace=_may_replace(asked, replacing))
    size = sharing.processes(len(items))
    setup = Setup.of(
        asked,
        folder=str(gathering.output_dir),
        label=f"{shard.index}of{shard.count}",
        verify=sharing.verify,
        settings={
            **sharing.limits(size),
            "replace": _may_replace(asked, replacing),
            "on_unmatched": selecting.on_unmatched,
            "on_nonfinite": selecting.on_nonfinite,
        },
    )
    prepare(gathering.output_dir)
    outcomes = _done(output, items, Pool(setup, size), keep_going=sharing.keep_going)
    result = BatchResult(BatchReport(outcomes, asked.config(), __version__, str(shard)))
    write_reports(result, reporting, replace=True)
    show(result, output, formatting)
    _tell(outcomes, output)
    if result.exit_code:
        raise Exit(result.exit_code)


def _may_replace(spec: Spec, replacing: Replacing) -> bool:
    return replacing.force or spec.output.on_exists == "replace"


def _checked(
    gathering: Gathering, paths: tuple[str, ...], shard: Shard, *, replace: bool
) -> list[Item]:
    """The items of this shard. What is wrong with any input is said in all shards alike."""
    items = gathering.items(paths)
    refuse_overlaps(items, gathering.output_dir)
    mine = [item for item in items if shard.holds(item.name)]
    if not replace:
        refuse_strangers(mine, gathering.output_dir)
    return mine


def _done(
    output: Output, items: list[Item], pool: Pool, *, keep_going: bool
) -> tuple[Outcome, ...]:
    with output.metered() as meter, pool:
        batch = Batching(items, pool, keep_going=keep_going, progress=meter)
        outcomes = batch.run()
    tidy_up(items)
    if output.verbose:
        for traceback in batch.tracebacks:
            output.traceback(traceback)
    return outcomes


def _tell(outcomes: tuple[Outcome, ...], output: Output) -> None:
    """What the table has no place for."""
    for outcome in outcomes:
        for note in outcome.notes:
            output.note(f"{outcome.item}: {note}")
        for reason, count in outcome.kept.items():
            output.detail(f"{outcome.item}: {count} kept: {reason}")
    kept = sum((Counter(outcome.kept) for outcome in outcomes), Counter())
    if kept:
        reasons = ", ".join(f"{reason} ({count})" for reason, count in kept.most_common())
        output.note(f"{kept.total()} tensors kept in all: {reasons}")
    for outcome in outcomes:
        if outcome.error is not None:
            output.error(outcome.error)
