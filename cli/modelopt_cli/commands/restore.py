"""Turn a compressed file or checkpoint back into plain weights."""

from __future__ import annotations

import click

import compress_core
from modelopt_cli.bundles import takes
from modelopt_cli.command import Command
from modelopt_cli.options import Looking
from modelopt_cli.run import Errand, runs_errand, source_argument


@click.command(cls=Command)
@click.pass_obj
@source_argument
@runs_errand
@takes(Looking)
def command(errand: Errand, looking: Looking) -> None:
    """Decode PATH, which modelopt compressed, to plain weights of their original dtype.

    What was cast keeps its new dtype. What any loader can read comes out; the values are those that
    the report's error is about.
    """
    target = errand.target("restored")
    source = errand.source
    if looking.dry_run:
        errand.carry_out(
            lambda settings: compress_core.plan_restore(source, settings, target=target),
            errand.settings(),
            target,
        )
    else:
        errand.carry_out(
            lambda settings: compress_core.restore(source, target, settings),
            errand.settings(),
            target,
        )
