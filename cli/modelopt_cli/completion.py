"""Words that a shell offers while a command line is typed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

import compress_core
from compress_core.errors import ModelOptError

if TYPE_CHECKING:
    from pathlib import Path

Completer = Callable[[click.Context, click.Parameter, str], list[str]]


def one_of(words: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Offers those of ``words`` that begin as typed, whatever their case."""

    def complete(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        return [word for word in words(ctx) if word.lower().startswith(typed.lower())]

    return complete


def next_of(words: Iterable[str]) -> Completer:
    """Offers ``words`` for the last place of a list with commas."""

    def complete(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
        before, comma, last = typed.rpartition(",")
        offered = one_of(lambda _: words)(ctx, parameter, last)
        return [f"{before}{comma}{word}" for word in offered]

    return complete


def _names_in_source(ctx: click.Context) -> list[str]:
    """The tensors of the PATH that stands on the line already, from its header."""
    # Click gives up on arguments when the line ends in an option; they are then in `args`
    source: Path | str | None = ctx.params.get("source") or next(iter(ctx.args), None)
    if source is None:
        return []
    try:
        with compress_core.open_logical(source) as reader:
            return [name for name in reader.infos if name.isprintable()]
    except ModelOptError:  # a shell wants words; what is wrong with the file, the command will say
        return []


tensor_names = one_of(_names_in_source)
"""Offers names of tensors, once PATH is known."""
