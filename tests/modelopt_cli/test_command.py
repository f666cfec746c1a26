"""What all commands have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from modelopt_cli.group import modelopt


def commands(group: click.Group, *path: str) -> dict[str, click.Command]:
    """The commands below a group that are no groups, by all their words."""
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= commands(command, *path, name)
        else:
            found[" ".join((*path, name))] = command
    return found


COMMANDS = commands(modelopt)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_the_options_of_talk(name: str) -> None:
    command = COMMANDS[name]
    flags = {flag for parameter in command.params for flag in parameter.opts}
    assert {"-q", "-v", "--color", "--progress", "-h", "--help"} <= flags


def test_help_stands_under_headings(cli: Any) -> None:
    out = cli("prune", "--help").out
    headings = [line for line in out.splitlines() if line.endswith(":") and line[:1] != " "]
    assert headings == [
        "Prune options:",
        "Tensors:",
        "Output:",
        "Input:",
        "Limits:",
        "Results:",
        "Gates:",
        "Talk:",
    ]


def test_an_error_in_any_option_is_told_as_the_others_ask(cli: Any) -> None:
    assert cli("prune", "x", "--sparsity", "2", "--color", "always").err.startswith("\x1b[")


@pytest.mark.parametrize("choice", ["never", "auto"])
def test_no_colour_into_a_pipe(cli: Any, weights: Path, choice: str) -> None:
    assert "\x1b" not in cli("inspect", weights, "--color", choice).out


def test_colour_on_request(cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1m" in cli("inspect", weights, "--color", "always").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" not in cli("inspect", weights).out
