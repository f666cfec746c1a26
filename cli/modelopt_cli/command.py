"""What all commands have in common: help under headings, and the options of talk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from compress_core.errors import UsageError
from modelopt_cli import collecting
from modelopt_cli.project import Said, key_of, project_of

TALK = "Talk"

_PROJECT = "modelopt_cli.project"


class Flag(click.Option):
    """An option that stands under a heading in ``--help``.

    One with an environment variable of ours can also be set by the project.
    """

    def __init__(self, *names: Any, section: str = "Options", **details: Any) -> None:
        super().__init__(*names, **details)
        self.section = section

    def consume_value(
        self, ctx: click.Context, opts: Mapping[str, click.Parameter]
    ) -> tuple[Any, ParameterSource]:
        value, source = super().consume_value(ctx, opts)
        key = key_of(self.envvar)
        if key is None or ctx.resilient_parsing:
            return value, source
        if source is ParameterSource.ENVIRONMENT:
            self._check_variable(ctx, value)
        # not by way of `default_map`: `--help` reads that as well, and shall not wait for it
        if source is not ParameterSource.DEFAULT:
            return value, source
        said = _project(ctx).get(key)
        if said is None:
            return value, source
        self._check(ctx, said)
        return said.text, ParameterSource.DEFAULT_MAP

    def _check_variable(self, ctx: click.Context, value: object) -> None:
        """Whether what the environment says can be a value; Click names the variable by itself.

        :raises UsageError: it cannot, by a rule of ours; the variable is named.
        """
        name = str(self.envvar)
        try:
            self.type_cast_value(ctx, value)
        except UsageError as error:
            why = error.message.removeprefix(f"{self.opts[-1]}: ")
            raise UsageError(f"{name}: {why}", where=name, hint=error.hint) from None

    def _check(self, ctx: click.Context, said: Said) -> None:
        """Whether what the project says can be a value of this option.

        :raises SpecError: it cannot; ``where`` is its line.
        """
        try:
            self.type_cast_value(ctx, said.text)
        except click.BadParameter as error:
            raise said.refused(
                error.message.rstrip("."), f"see {ctx.command_path} --help"
            ) from None
        except UsageError as error:
            raise said.refused(error.message, error.hint) from None


def _project(ctx: click.Context) -> Mapping[str, Said]:
    """What the project of the current folder sets; read once for a command."""
    if _PROJECT not in ctx.meta:
        ctx.meta[_PROJECT] = project_of(Path())
    found: Mapping[str, Said] = ctx.meta[_PROJECT]
    return found


def typed(*names: str) -> bool:
    """Whether one of these options stands on the command line, and is not just a standing order."""
    ctx = click.get_current_context()
    return any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in names)


class Command(click.Command):
    """A command that has the options of talk, and groups all options by heading in its help."""

    def __init__(self, *positional: Any, **details: Any) -> None:
        super().__init__(*positional, **details)
        self.add_help_option = False  # ours writes like everything else
        self.params += [*_talk(), help_option()]

    def invoke(self, ctx: click.Context) -> Any:
        collecting.resume()  # its modules are there now, and it may work for hours
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def help_option() -> click.Option:
    """``-h``, ``--help``."""
    return Flag(
        ["-h", "--help"],
        section=TALK,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show_help,
        help="Show this and exit.",
    )


def _show_help(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        # not click.echo: a full or closed stdout is handled in one place
        ctx.obj.result(f"{ctx.get_help()}\n")
        ctx.exit()


def _talk() -> list[click.Option]:
    return [
        _setting(["-q", "--quiet"], "quiet", is_flag=True, help="Only errors on stderr."),
        _setting(
            ["-v", "--verbose"],
            "verbose",
            is_flag=True,
            help="More on stderr; of a bug, its traceback.",
        ),
        _setting(
            ["--color"],
            "colour",
            type=click.Choice(("auto", "always", "never")),
            default="auto",
            show_default=True,
            envvar="MODELOPT_CLI_COLOR",
            show_envvar=True,
            help="Colours.",
        ),
        _setting(
            ["--progress"],
            "progress",
            type=click.Choice(("auto", "bar", "lines", "off")),
            default="auto",
            show_default=True,
            envvar="MODELOPT_CLI_PROGRESS",
            show_envvar=True,
            help="How to show how far it has come; auto: a bar on a terminal, else lines.",
        ),
    ]


def _setting(names: list[str], attribute: str, **details: Any) -> click.Option:
    """An option that sets an attribute of the console."""
    # eager, so that an error in any other option is already told as this one asks
    return Flag(
        names,
        section=TALK,
        is_eager=True,
        expose_value=False,
        callback=_setter(attribute),
        **details,
    )


def _setter(attribute: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if ctx.obj is not None:  # a shell that completes words has no console
            setattr(ctx.obj, attribute, value)

    return callback
