"""Store the weights of a file or checkpoint in a few bits each."""

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
@options_of_pass("quantize")
@runs_passes
@takes(Trying, Guarding)
def command(run: Run, chosen: dict[str, Any], trying: Trying, guarding: Guarding) -> None:
    """Store the weights of PATH as integers or floats of 2 to 8 bits, or as one of two values.

    PATH is a weight file or a checkpoint folder. A preset on a folder is for its linear
    layers; without one, every float tensor of two or more dimensions is quantized.
    """
    run.do(spec_from_flags("quantize", chosen), _what(chosen), trying, guarding)


def _what(chosen: dict[str, Any]) -> str:
    if "preset" in chosen:
        return str(chosen["preset"]).lower()
    scheme = chosen.get("scheme", "binary" if chosen.get("bits") == 1 else "integer")
    return f"int{chosen['bits']}" if scheme == "integer" else str(scheme)
