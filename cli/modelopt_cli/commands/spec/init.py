"""Begin a spec file, with comments that explain it."""

from __future__ import annotations

from pathlib import Path

import click

from compress_core.atomic import refuse_input, write_text
from modelopt_cli.bundles import PATH
from modelopt_cli.command import Command, Flag
from modelopt_cli.console import Output
from modelopt_cli.inspection import contents_of
from modelopt_cli.printable import printable
from modelopt_cli.starter import starter


@click.command(cls=Command)
@click.pass_obj
@click.argument("source", metavar="[PATH]", type=PATH, required=False)
@click.option(
    "-o",
    "--output",
    "target",
    cls=Flag,
    section="Output",
    type=PATH,
    help="The spec file to write.  [default: stdout]",
)
@click.option(
    "-f", "--force", cls=Flag, section="Output", is_flag=True, help="Replace what exists."
)
def command(output: Output, source: Path | None, target: Path | None, force: bool) -> None:
    """Write a spec to begin with: valid as it is, with comments on what else can be said.

    \b
    modelopt spec init -o compress.yaml
    modelopt spec init model.safetensors -o compress.yaml

    With PATH, a weight file or checkpoint folder, the comments name its tensors.
    """
    text = starter(None if source is None else contents_of(source))
    if target is None:
        output.result(text)
        return
    if source is not None:
        refuse_input(target, source)
    write_text(target, text, replace=force)
    output.result(f"Wrote {printable(str(target))}\n")
