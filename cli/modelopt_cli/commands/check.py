"""Check sizes, errors and growth of weight files against limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

import compress_core
from modelopt_cli.asked import Asked, asked_for
from modelopt_cli.bundles import PATH, takes
from modelopt_cli.command import Command, Flag
from modelopt_cli.computing import begin_computing
from modelopt_cli.console import Output
from modelopt_cli.failure import gate_error
from modelopt_cli.gate_options import Comparing
from modelopt_cli.options import Choosing, Limiting, Opening
from modelopt_cli.outcome import kept_verdict, show, withdraw_reports, write_reports
from modelopt_cli.render.of_check import CheckResult
from modelopt_cli.result_options import Announcing, Recording


@click.command(cls=Command)
@click.pass_obj
@click.argument("paths", metavar="[PATH…]", type=PATH, nargs=-1)
@click.option(
    "--spec",
    cls=Flag,
    section="Gates",
    type=PATH,
    metavar="FILE",
    help="Use the gates of this spec file.",
)
@click.option(
    "--against",
    cls=Flag,
    section="Gates",
    type=PATH,
    metavar="ORIGINAL",
    help="Compute error and ratio from PATH and these weights, whatever PATH records.",
)
@takes(Opening, Comparing, Choosing, Limiting, Announcing, Recording)
def command(
    output: Output,
    paths: tuple[Path, ...],
    spec: Path | None,
    against: Path | None,
    opening: Opening,
    comparing: Comparing,
    choosing: Choosing,
    limiting: Limiting,
    announcing: Announcing,
    recording: Recording,
) -> None:
    """Check every PATH (file, checkpoint folder or glob) against limits; exit with 1 on a breach.

    \b
    modelopt check model.w4a16.safetensors --max-size 25MiB --max-error 0.2
    modelopt check 'models/*.safetensors' --max-growth 1%,64KiB --baseline baseline.json
    modelopt check

    Without gates as flags, those of --spec are used, or [tool.modelopt.check] of the nearest
    pyproject.toml, which also names the paths when none is given. Sizes come from headers, errors
    from the record of a packed file or from --against. What a gate finds nothing to measure in is
    an error: an empty check is never a pass.
    """
    withdraw_reports(recording.report)
    asked = asked_for(paths, comparing, choosing, spec)
    _look_at_reports(recording, asked, comparing, against)
    begin_computing()
    settings = limiting.applied(
        compress_core.Settings(key=opening.key, on_unmatched=choosing.on_unmatched)
    )
    with output.metered() as meter:
        found = compress_core.check(
            asked.paths,
            asked.gates,
            replace(settings, progress=meter),
            against=against,
            baseline=comparing.baseline,
            update_baseline=comparing.update_baseline,
        )
    notes = found.notes if asked.said is None else (asked.said, *found.notes)
    for note in notes:
        output.note(note)
    result = CheckResult(found, output.workspace)
    with kept_verdict(found):
        write_reports(result, recording, replace=True)
        show(result, output, announcing)
    if found.failed:
        raise gate_error(found, opening.key)


def _look_at_reports(
    recording: Recording, asked: Asked, comparing: Comparing, against: Path | None
) -> None:
    """Whether the reports may be written: a job runs again and again, and replaces its own."""
    if not recording.report:
        return
    from compress_core.checking import found_paths  # `--help` shall not wait for it

    named = (gate.baseline_path() for gate in asked.gates)
    recording.check(
        replace=True,
        weights=[*found_paths(asked.paths), *([] if against is None else [against])],
        baselines=[path for path in (comparing.baseline, *named) if path is not None],
    )
