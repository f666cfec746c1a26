"""List passes, presets, layouts, formats or conventions, and what they take."""

from __future__ import annotations

import click

from modelopt_cli.bundles import takes
from modelopt_cli.catalogue import KINDS, entries, entry, ids
from modelopt_cli.command import Command
from modelopt_cli.completion import one_of
from modelopt_cli.console import Output
from modelopt_cli.outcome import show
from modelopt_cli.render.of_catalogue import Details, Listing
from modelopt_cli.result_options import Formatting


def _names(ctx: click.Context) -> tuple[str, ...]:
    kind = str(ctx.params.get("kind"))
    return ids(kind) if kind in KINDS else ()


@click.command(cls=Command)
@click.pass_obj
@click.argument("kind", metavar="|".join(KINDS), shell_complete=one_of(lambda _: KINDS))
@click.argument("name", metavar="[NAME]", required=False, shell_complete=one_of(_names))
@takes(Formatting)
def command(output: Output, kind: str, name: str | None, formatting: Formatting) -> None:
    """List what there is of a kind, with a line on each.

    \b
    modelopt list passes
    modelopt list presets W4A16

    With NAME: the options of a pass with their defaults and what they accept, what a preset sets,
    or what is fixed about a layout, a format or a convention of other tools.
    """
    if name is None:
        show(Listing(kind, entries(kind)), output, formatting)
    else:
        show(Details(kind, (entry(kind, name),)), output, formatting)
