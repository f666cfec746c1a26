"""Bundles of flags: a dataclass becomes options, and arrives as one object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import click
import pytest
from click.testing import CliRunner

from compress_core.errors import UsageError
from modelopt_cli.bundles import flag, size_for, takes
from modelopt_cli.options import Limiting


@dataclass(frozen=True)
class Painting:
    """A bundle."""

    colour: str = field(default="red", metadata=flag("--colour", section="Art", default="red"))
    twice: bool = field(default=False, metadata=flag("--twice", section="Art", is_flag=True))


def painted(*arguments: str) -> Any:
    seen = []

    @click.command
    @takes(Painting, Limiting)
    def paint(painting: Painting, limiting: Limiting) -> None:
        seen.append((painting, limiting))

    result = CliRunner().invoke(paint, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return seen[0]


def test_a_bundle_arrives_as_one_object() -> None:
    assert painted("--colour", "blue", "-j", "2") == (
        Painting(colour="blue"),
        Limiting(max_memory=None, jobs=2),
    )


def test_nothing_given_is_the_default() -> None:
    assert painted() == (Painting(), Limiting())


def test_sizes_have_units() -> None:
    assert painted("--max-memory", "1.5GiB")[1].max_memory == 3 * 2**29
    with pytest.raises(UsageError, match="--max-memory: unknown unit") as raised:
        size_for("--max-memory")("10M")
    assert raised.value.hint is not None
    assert "10 MiB" in raised.value.hint
