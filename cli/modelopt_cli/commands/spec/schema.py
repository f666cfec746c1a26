"""Print the JSON Schema of spec files, for editors."""

from __future__ import annotations

import json

import click

from compress_core.spec.schema import json_schema
from modelopt_cli.command import Command
from modelopt_cli.console import Output


@click.command(cls=Command)
@click.pass_obj
def command(output: Output) -> None:
    """Print the JSON Schema (draft 2020-12) of the spec files that this installation reads.

    \b
    modelopt spec schema > modelopt.schema.json

    A spec that `modelopt spec init` began names this file; an editor with a YAML language server
    then completes keys and marks mistakes.
    """
    output.result(json.dumps(json_schema(), indent=2) + "\n")
