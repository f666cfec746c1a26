"""A group of commands that is a folder: every module in it is a command, imported when called."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
from pathlib import Path
from typing import Any

import click

from compress_core.errors import UsageError
from modelopt_cli.command import help_option


class CommandFolder(click.Group):
    """Finds commands by module name; each module defines one object ``command``.

    A package in the folder is a command as well, such as a group with a folder of its own.

    :param package: the import name of the folder.
    """

    def __init__(self, *positional: Any, package: str, **details: Any) -> None:
        super().__init__(*positional, **details)
        self.package = package
        self.add_help_option = False
        self.params.append(help_option())

    def list_commands(self, ctx: click.Context) -> list[str]:
        folder = importlib.import_module(self.package)
        found = (module.name for module in pkgutil.iter_modules(folder.__path__))
        return sorted(name.replace("_", "-") for name in found)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(self._module(cmd_name)).command
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
        names = self.list_commands(ctx)
        with formatter.section("Commands"):
            formatter.write_dl([(name, _summary(self._module(name))) for name in names])

    def _module(self, command: str) -> str:
        return f"{self.package}.{command.replace('-', '_')}"


def _summary(module: str) -> str:
    """The first line of a command's module, from its source: a list must not import them all."""
    found = importlib.util.find_spec(module)
    source = Path(found.origin).read_text("utf-8") if found and found.origin else ""
    said = ast.get_docstring(ast.parse(source)) or ""
    return said.partition("\n")[0].rstrip(".")
