"""Run several passes in order, from a spec file or from --pass."""

from __future__ import annotations

from pathlib import Path

import click

from modelopt_cli.bundles import takes
from modelopt_cli.command import Command
from modelopt_cli.gate_options import Guarding
from modelopt_cli.options import Trying
from modelopt_cli.request import asks_for_passes, called, spec_asked
from modelopt_cli.run import Run, runs_passes, source_argument


@click.command(cls=Command)
@click.pass_obj
@source_argument
@asks_for_passes
@runs_passes
@takes(Trying, Guarding)
def command(
    run: Run, passes: tuple[str, ...], spec: Path | None, trying: Trying, guarding: Guarding
) -> None:
    """Run passes on PATH one after another, and store the result once.

    \b
    modelopt compress model.safetensors --pass 'prune sparsity=0.5' --pass 'quantize bits=4'
    modelopt compress ./checkpoint --spec edge.yaml
    modelopt compress pytorch_model.bin -o model.safetensors

    PATH is a safetensors, PyTorch or NumPy file, or a checkpoint folder; nothing in it is ever run.
    Without passes it is only converted to safetensors, value for value.
    """
    asked = spec_asked(passes, spec)
    run.do(asked, called(asked), trying, guarding)
