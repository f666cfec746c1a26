"""The group ``modelopt``: every module of ``commands/`` is a command, imported when called."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import pkgutil
from pathlib import Path
from typing import Any

import click

from compress_core.errors import UsageError
from modelopt_cli import commands
from modelopt_cli.command import help_option

_COMPLETION = "_MODELOPT_COMPLETE"


def _module(command: str) -> str:
    return f"{commands.__name__}.{command.replace('-', '_')}"


def _summary(command: str) -> str:
    """The first line of a command's module, from its source: a list must not import them all."""
    found = importlib.util.find_spec(_module(command))
    source = Path(found.origin).read_text("utf-8") if found and found.origin else ""
    said = ast.get_docstring(ast.parse(source)) or ""
    return said.partition("\n")[0].rstrip(".")


class CommandFolder(click.Group):
    """Finds commands by module name; each module defines one object ``command``."""

    def __init__(self, *positional: Any, **details: Any) -> None:
        super().__init__(*positional, **details)
        self.add_help_option = False
        self.params.append(help_option())

    def list_commands(self, ctx: click.Context) -> list[str]:
        found = (module.name for module in pkgutil.iter_modules(commands.__path__))
        return sorted(name.replace("_", "-") for name in found)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(_module(cmd_name)).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known and not ctx.resilient_parsing:
            from compress_core.near import did_you_mean

            raise UsageError(
                f"unknown command: {args[0]}", hint=did_you_mean(args[0], known, "commands")
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(name)) for name in self.list_commands(ctx)])

    def completes(self) -> bool:
        """Answer a shell that wants to complete a command line, if it is one that asks."""
        asked = os.environ.get(_COMPLETION)
        if asked is None:
            return False
        from click.shell_completion import shell_complete

        details: dict[str, Any] = {}
        shell_complete(self, details, "modelopt", _COMPLETION, asked)
        return True


def _show_version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from compress_core import __version__

        ctx.obj.result(f"modelopt {__version__}\n")
        ctx.exit()


@click.group(cls=CommandFolder, no_args_is_help=False)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
def modelopt() -> None:
    """Prune and quantize weight files, and see what it cost.

    A weight file (safetensors) or a checkpoint folder goes in, a smaller one comes out; no input is
    ever changed.
    """
