"""The group ``modelopt``, whose commands are the folder ``commands``."""

from __future__ import annotations

import os
from typing import Any

import click

from modelopt_cli import commands
from modelopt_cli.folder import CommandFolder

_COMPLETION = "_MODELOPT_COMPLETE"


def completes() -> bool:
    """Answer a shell that wants to complete a command line, if it is one that asks."""
    asked = os.environ.get(_COMPLETION)
    if asked is None:
        return False
    from click.shell_completion import shell_complete

    details: dict[str, Any] = {}
    shell_complete(modelopt, details, "modelopt", _COMPLETION, asked)
    return True


def _show_version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from modelopt_cli.computing import version_line

        ctx.obj.result(version_line())
        ctx.exit()


@click.group(cls=CommandFolder, package=commands.__name__, no_args_is_help=False)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version, and whether kernels in C are in use.",
)
def modelopt() -> None:
    """Prune and quantize weight files, and see what it cost.

    A weight file (safetensors) or a checkpoint folder goes in, a smaller one comes out; no input is
    ever changed.
    """
