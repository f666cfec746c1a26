"""Run a checkpoint over texts and write the Gram file of its layers."""

from __future__ import annotations

from pathlib import Path

import click

from compress_core.errors import UsageError
from modelopt_cli.bundles import PATH, size_for, takes
from modelopt_cli.command import Command, Flag
from modelopt_cli.console import Output
from modelopt_cli.options import Writing
from modelopt_cli.printable import printable

_TEXTS = "Texts"


@click.command(cls=Command)
@click.pass_obj
@click.argument("source", metavar="MODEL", type=PATH)
@click.option(
    "--texts",
    cls=Flag,
    section=_TEXTS,
    type=PATH,
    required=True,
    metavar="FILE",
    help="Texts like those that the model is for, one a line, in UTF-8.",
)
@click.option(
    "--held-out",
    cls=Flag,
    section=_TEXTS,
    type=float,
    default=0.2,
    show_default=True,
    metavar="SHARE",
    help="Share of the texts, evenly spread, that nothing is fitted to and errors are told of;"
    " 0: none.",
)
@click.option(
    "--max-length",
    cls=Flag,
    section=_TEXTS,
    type=click.IntRange(min=1),
    default=512,
    show_default=True,
    metavar="N",
    help="Tokens of a text; what is longer is cut off.",
)
@click.option(
    "--batch-size",
    cls=Flag,
    section=_TEXTS,
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Texts that run together, which have one length: nothing is padded.",
)
@click.option(
    "--matrix-memory",
    cls=Flag,
    section="Limits",
    type=size_for("--matrix-memory"),
    default="4GiB",
    show_default=True,
    metavar="SIZE",
    help="Memory for the matrices that are summed at once; for more of them the texts run again.",
)
@takes(Writing)
def command(
    output: Output,
    source: Path,
    texts: Path,
    held_out: float,
    max_length: int,
    batch_size: int,
    matrix_memory: int,
    writing: Writing,
) -> None:
    """Run MODEL, a checkpoint folder of transformers, over texts, and write what --gram reads.

    \b
    modelopt gram ./checkpoint --texts texts.txt -o model.gram.safetensors

    Needs PyTorch and transformers: pip install 'modelopt-cli[torch]'. Nothing is downloaded, and no
    code of MODEL is run.
    """
    if not 0 <= held_out < 1:
        raise UsageError("--held-out is a share of 0 or more and less than 1")
    from compress_core.gathering import Gathering, gather  # `--help` shall not wait for it

    target = _target(source, writing)
    with output.metered() as meter:
        done = gather(
            source,
            texts,
            target,
            Gathering(held_out, max_length, batch_size, matrix_memory),
            replace=writing.force,
            progress=meter,
        )
    output.result(
        f"Wrote {printable(str(target))} · {len(done.layers)} layers"
        f" · {done.texts} texts, {done.held_out} of them held out\n"
    )
    for note in done.notes:
        output.note(note)


def _target(source: Path, writing: Writing) -> Path:
    from compress_core.opening import refuse_misnamed

    if writing.output is not None:
        refuse_misnamed(writing.output)
        return writing.output
    return (writing.output_dir or Path()) / f"{source.resolve().name}.gram.safetensors"
