"""Store the weights of a file or checkpoint in another float dtype."""

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
@options_of_pass("cast")
@runs_passes
@takes(Trying, Guarding)
def command(run: Run, chosen: dict[str, Any], trying: Trying, guarding: Guarding) -> None:
    """Store the float tensors of PATH as bf16, f16 or f32.

    PATH is a weight file or a checkpoint folder. Norms, biases and scalars are cast too. The result
    is plain weights that every loader reads; the error says what rounding cost.
    """
    run.do(spec_from_flags("cast", chosen), str(chosen.get("to", "cast")), trying, guarding)
