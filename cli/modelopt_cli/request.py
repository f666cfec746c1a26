"""From flags to the spec that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from compress_core.errors import SpecError, UsageError
from compress_core.fields import options_of
from compress_core.registry import get, names
from compress_core.select import Pattern, Selector
from compress_core.spec import Spec, from_config, load
from modelopt_cli.bundles import PATH
from modelopt_cli.command import Flag
from modelopt_cli.completion import one_of
from modelopt_cli.options import Choosing, Selecting, Storing
from modelopt_cli.pass_options import parse_pass


def spec_from_passes(passes: Sequence[dict[str, Any]]) -> Spec:
    """The spec that has nothing but these passes.

    :param passes: entries as they stand under ``passes:`` in a spec file.
    :raises UsageError: their options do not go together.
    """
    return from_config({"version": 1, "passes": list(passes)})


def spec_from_flags(name: str, chosen: Mapping[str, Any]) -> Spec:
    """The spec of one pass whose options were given as flags.

    :raises UsageError: they do not go together; ``where`` is the flag.
    """
    try:
        return spec_from_passes([{"pass": name, **chosen}])
    except SpecError as error:
        field = (error.where or "").rpartition(".")[2]
        flag = f"--{field.replace('_', '-')}" if field in options_of(get("passes", name)) else None
        raise UsageError(error.message, where=flag, hint=error.hint) from None


def called(spec: Spec) -> str:
    """What the default name of an output calls it."""
    return spec.name or ("compressed" if spec.pipeline.steps else "converted")


def narrowed(spec: Spec, selecting: Selecting, storing: Storing, gram: Path | None = None) -> Spec:
    """``spec`` with what the flags say on top: ``--match`` replaces, ``--ignore`` adds."""
    select = selection(spec.pipeline.select, selecting)
    given = {
        "layout": storing.layout,
        "shard_size": storing.shard_size,
        "allow_unread": storing.allow_unread or None,
    }
    said: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    output = replace(spec.output, **said)
    pipeline = replace(spec.pipeline, select=select)
    return replace(spec, pipeline=pipeline, output=output, gram=str(gram) if gram else spec.gram)


def selection(select: Selector, choosing: Choosing) -> Selector:
    """``select`` with ``--match`` in the place of its own patterns, and ``--ignore`` besides."""
    match = tuple(Pattern(text, where="--match") for text in choosing.match)
    ignore = tuple(Pattern(text, where="--ignore") for text in choosing.ignore)
    return replace(select, match=match or select.match, ignore=select.ignore + ignore)


def asks_for_passes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--pass`` and ``--spec``, two ways to say the same."""
    by_flag = click.option(
        "--pass",
        "passes",
        cls=Flag,
        section="Passes",
        multiple=True,
        metavar="'NAME KEY=VALUE …'",
        shell_complete=one_of(lambda _: names("passes")),
        help="A pass, such as 'prune sparsity=0.5 match=*.mlp.*'; repeatable, in order.",
    )
    by_file = click.option(
        "--spec", cls=Flag, section="Passes", type=PATH, metavar="FILE", help="A spec file (YAML)."
    )
    return by_flag(by_file(function))


def spec_asked(passes: Sequence[str], file: Path | None) -> Spec:
    """The spec that ``--pass`` or ``--spec`` says; with neither, the one that only converts.

    :raises UsageError: both are given, or what they say is wrong.
    """
    if file is None:
        return spec_from_passes([parse_pass(text) for text in passes])
    if passes:
        raise UsageError("--pass and --spec exclude each other", hint="add the pass to the spec")
    return load(file)
