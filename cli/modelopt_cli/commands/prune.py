"""Set the smallest weights of a file or checkpoint to zero."""

from __future__ import annotations

from typing import Any

import click

from modelopt_cli.bundles import takes
from modelopt_cli.command import Command
from modelopt_cli.gate_options import Guarding
from modelopt_cli.options import Trying
from modelopt_cli.pass_options import options_of_pass
from modelopt_cli.request import spec_from_flags
from modelopt_cli.run import Run, runs_passes, source_argument


@click.command(cls=Command)
@click.pass_obj
@source_argument
@options_of_pass("prune")
@runs_passes
@takes(Trying, Guarding)
def command(run: Run, chosen: dict[str, Any], trying: Trying, guarding: Guarding) -> None:
    """Set the smallest weights of PATH to zero: elements, rows, columns, blocks, or N of each M.

    PATH is a weight file or a checkpoint folder. The zeros are stored without their values, so
    the result is smaller; `modelopt restore` makes plain weights of it again.
    """
    run.do(spec_from_flags("prune", chosen), "pruned", trying, guarding)
