"""Run one spec on many files, and go on where an earlier run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.exceptions import Exit

from compress_core import __version__
from compress_core.batch import (
    BatchReport,
    Gathered,
    Item,
    Outcome,
    Shard,
    keep,
    prepare,
    refuse_overlaps,
    refuse_strangers,
    tidy_up,
)
from compress_core.errors import OutputError, UsageError
from compress_core.gates import Judge
from compress_core.opening import keys_for
from compress_core.spec import Spec
from modelopt_cli.batch_options import Gathering, Sharing
from modelopt_cli.batching import Batching
from modelopt_cli.bundles import takes
from modelopt_cli.command import Command
from modelopt_cli.console import Output
from modelopt_cli.options import Opening, Replacing, Selecting, Storing
from modelopt_cli.outcome import show, write_reports
from modelopt_cli.render.of_batch import BatchResult
from modelopt_cli.request import asks_for_passes, narrowed, spec_asked
from modelopt_cli.result_options import Formatting, Reporting
from modelopt_cli.workers.orders import Setup
from modelopt_cli.workers.pool import Pool


@click.command(cls=Command)
@click.pass_obj
@click.argument("paths", metavar="[PATH…]", nargs=-1)
@takes(Gathering)
@asks_for_passes
@takes(Opening, Sharing, Selecting, Storing, Replacing, Formatting, Reporting)
def command(
    output: Output,
    paths: tuple[str, ...],
    passes: tuple[str, ...],
    spec: Path | None,
    gathering: Gathering,
    opening: Opening,
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
    asked = _asked(passes, spec, selecting, storing)
    reporting, asked = reporting.also(asked.report), replace(asked, report=())
    reporting.check(replace=True)  # the same command again is how a batch goes on
    Judge(asked.gates)  # a missing baseline shall be known before the work
    shard = sharing.chosen()
    may_replace = replacing.force or asked.output.on_exists == "replace"
    gathered = gathering.gathered(paths)
    for note in gathered.notes:
        output.note(note)
    folder = gathering.output_dir
    keys_for([item.source for item in gathered.items], opening.key)
    items = _checked(gathered, folder, shard, replace=may_replace)
    size = sharing.processes(len(items))
    settings = {**_settings(opening, selecting), **sharing.limits(size), "replace": may_replace}
    label = f"{shard.index}of{shard.count}"
    setup = Setup.of(
        asked, folder=str(folder), label=label, verify=sharing.verify, settings=settings
    )
    with _told_to_write_elsewhere():
        prepare(folder)
        keep(folder, gathered.root)
    outcomes = _done(output, items, Pool(setup, size), keep_going=sharing.keep_going)
    report = BatchReport(outcomes, asked.config(), __version__, str(shard))
    result = BatchResult(report, output.workspace)
    write_reports(result, reporting, replace=True)
    show(result, output, formatting)
    _tell(outcomes, output)
    if result.exit_code:
        raise Exit(result.exit_code)


def _asked(
    passes: tuple[str, ...], spec: Path | None, selecting: Selecting, storing: Storing
) -> Spec:
    """What is to be done with every item.

    :raises UsageError: nothing is said: a copy of everything is too much for what may have been
        forgotten.
    """
    if not passes and spec is None:
        raise UsageError(
            "nothing to do",
            hint="name a spec: --spec FILE; one without passes converts to safetensors",
        )
    return narrowed(spec_asked(passes, spec), selecting, storing)


def _settings(opening: Opening, selecting: Selecting) -> dict[str, Any]:
    """What flags say of all items alike, by the names of the core's settings."""
    return {
        "key": opening.key,
        "on_unmatched": selecting.on_unmatched,
        "on_nonfinite": selecting.on_nonfinite,
        "requantize": selecting.requantize,
    }


def _checked(gathered: Gathered, folder: Path, shard: Shard, *, replace: bool) -> list[Item]:
    """The items of this shard. What is wrong with any input is said in all shards alike."""
    refuse_overlaps(gathered.items, folder)
    mine = [item for item in gathered.items if shard.holds(item.name)]
    if not replace:
        refuse_strangers(mine, folder)
    return mine


@contextmanager
def _told_to_write_elsewhere() -> Iterator[None]:
    """What cannot be written belongs to another folder, which is not said by ``--output`` here."""
    try:
        yield
    except OutputError as error:
        error.hint = error.hint or "write it somewhere else: -O DIR"
        raise


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
        noun = "tensor" if kept.total() == 1 else "tensors"
        output.note(f"{kept.total()} {noun} kept in all: {reasons}")
    for outcome in outcomes:
        if outcome.error is not None:
            output.error(outcome.error)
