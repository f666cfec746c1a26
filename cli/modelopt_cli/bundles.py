"""Bundles of flags: a dataclass whose fields are Click options, and a command that takes it.

@bundle
class Waiting:
    seconds: int = field(default=1, metadata=flag("--seconds", section="Work", type=int))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

import click

from compress_core.errors import UsageError
from compress_core.sizes import parse_size
from modelopt_cli.command import Flag

T = TypeVar("T")

_KEY = "modelopt_cli.flag"

# what cannot be read is an error of the input, and that is found where it is opened
PATH = click.Path(path_type=Path, readable=False)


def size_for(name: str) -> Callable[[str], int]:
    """What reads the size that the flag ``name`` is given."""

    def size(text: str) -> int:
        try:
            return parse_size(text)
        except UsageError as error:
            raise UsageError(f"{name}: {error.message}", hint=error.hint) from None

    return size


def memory(text: str) -> int:
    """What reads ``--max-memory``: too little is said where it is written."""
    from compress_core.tiling import refuse_too_little  # `--help` shall not wait for it

    size = size_for("--max-memory")(text)
    try:
        refuse_too_little(size)
    except UsageError as error:
        raise UsageError(f"--max-memory: {error.message}", hint=error.hint) from None
    return size


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def bundle(cls: type[T]) -> type[T]:
    """Make a class a bundle, which nothing changes once it is made: mypy sees to that.

    Methods that would refuse it at run time are compiled anew by every process, and there are many
    bundles: commands would start milliseconds later.
    """
    return dataclass(repr=False)(cls)


def flag(*names: str, section: str, **details: Any) -> dict[str, Any]:
    """Metadata of a field that is a Click option; ``details`` are Click's."""
    return {_KEY: (names, {"cls": Flag, "section": section, **details})}


def takes(*bundles: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of ``bundles``.

    It gets an object of each, as a keyword argument of the class's name in lower case.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def command(*positional: Any, **given: Any) -> Any:
            made = {
                bundle.__name__.lower(): bundle(
                    **{one.name: given.pop(one.name) for one in fields(bundle)}
                )
                for bundle in bundles
            }
            return function(*positional, **given, **made)

        flags = [one for bundle in bundles for one in fields(bundle)]
        for one in reversed(flags):
            names, details = one.metadata[_KEY]
            click.option(*names, one.name, **details)(command)
        return command

    return decorate
