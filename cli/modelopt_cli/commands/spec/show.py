"""Print a spec file as it is understood."""

from __future__ import annotations

import json
from pathlib import Path

import click

from compress_core.spec import load
from modelopt_cli.bundles import PATH
from modelopt_cli.command import Command, Flag
from modelopt_cli.console import Output


@click.command(cls=Command)
@click.pass_obj
@click.argument("path", metavar="PATH", type=PATH)
@click.option(
    "--json", "as_json", cls=Flag, section="Results", is_flag=True, help="As JSON instead of YAML."
)
def command(output: Output, path: Path, as_json: bool) -> None:
    """Print the spec in PATH in its canonical form.

    Values that are the default are left out, other spellings of a word become the usual one, and
    presets stay presets. Two specs that print the same do the same.
    """
    spec = load(path)
    output.result(json.dumps(spec.config(), indent=2) + "\n" if as_json else spec.to_yaml())
