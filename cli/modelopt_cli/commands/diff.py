"""Compare two weight files or checkpoints, compressed or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.exceptions import Exit

import compress_core
from compress_core.select import Selector
from modelopt_cli.bundles import PATH, takes
from modelopt_cli.command import Command, Flag
from modelopt_cli.computing import begin_computing
from modelopt_cli.console import Output
from modelopt_cli.options import Choosing, Limiting, OpeningTwo, Replacing
from modelopt_cli.outcome import show, write_reports
from modelopt_cli.render.of_difference import DifferenceResult
from modelopt_cli.request import selection
from modelopt_cli.result_options import Reporting, Showing

if TYPE_CHECKING:
    from compress_core import Difference

_DIFFERS = 1
_FEW = 5


@click.command(cls=Command)
@click.pass_obj
@click.argument("source", metavar="A", type=PATH)
@click.argument("other", metavar="B", type=PATH)
@click.option(
    "--exit-code",
    cls=Flag,
    section="Results",
    is_flag=True,
    help="Exit with 1 if anything differs, like git diff.",
)
@takes(OpeningTwo, Choosing, Limiting, Showing, Reporting, Replacing)
def command(
    output: Output,
    source: Path,
    other: Path,
    exit_code: bool,
    openingtwo: OpeningTwo,
    choosing: Choosing,
    limiting: Limiting,
    showing: Showing,
    reporting: Reporting,
    replacing: Replacing,
) -> None:
    """Tell what leads from A to B: tensors added, removed and changed, and how far values moved.

    \b
    modelopt diff model.safetensors model.quantized.safetensors
    modelopt diff ./checkpoint ./finetuned --match '*.mlp.*' --exit-code
    modelopt diff trainer.pt trainer.pt --key-a model --key-b ema

    Each may be a file or a checkpoint folder; what modelopt compressed is decoded. Values are
    compared: -0 equals 0, and NaN equals NaN. Metadata and config.json are compared by their keys,
    unless only some tensors are asked for.
    """
    reporting.check(replace=replacing.force, weights=(source, other))
    begin_computing()
    settings = limiting.applied(
        compress_core.Settings(key=openingtwo.key, on_unmatched=choosing.on_unmatched)
    )
    with output.metered() as meter:
        found = compress_core.diff(
            source,
            other,
            replace(settings, progress=meter),
            select=selection(Selector(), choosing),
            keys=(openingtwo.key_a, openingtwo.key_b),
        )
    result = DifferenceResult(found, showing.per_tensor)
    write_reports(result, reporting, replace=replacing.force)
    show(result, output, showing)
    for note in (*found.notes, *_notes(found)):
        output.note(note)
    if exit_code and found.differs:
        raise Exit(_DIFFERS)


def _notes(found: Difference) -> Iterator[str]:
    """What the table has no place for."""
    for what, keys in (("metadata", found.metadata), ("config.json", found.config)):
        if keys is not None:
            yield from _listed(f"{what} only in A", keys.removed)
            yield from _listed(f"{what} only in B", keys.added)
            yield from _listed(f"{what} with another value", keys.changed)
    equal = [one for one in found.tensors if one.status == "equal"]
    yield from _listed(
        "equal in value, though not in every bit", [one.name for one in equal if not one.identical]
    )
    yield from _listed(
        "in no error, since NaN or infinity stands against another value",
        [one.name for one in found.tensors if one.nonfinite],
    )


def _listed(what: str, names: Sequence[str]) -> Iterator[str]:
    """A sentence with the first few of ``names``, if there are any."""
    if names:
        more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
        yield f"{what}: {', '.join(names[:_FEW])}{more}"
