"""Commands are files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from modelopt_cli import commands
from modelopt_cli.group import modelopt

NAMES = modelopt.list_commands(click.Context(modelopt))


def test_every_module_and_package_is_a_command() -> None:
    folder = Path(commands.__path__[0])
    files = {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}
    assert set(NAMES) == files | {path.parent.name for path in folder.glob("*/__init__.py")}


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_line_in_the_list(cli: Any, name: str) -> None:
    ran = cli("--help")
    line = next(line for line in ran.out.splitlines() if line.split()[:1] == [name])
    assert len(line.split()) > 3
    assert len(line) <= 80


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_explains_itself(cli: Any, name: str, flag: str) -> None:
    ran = cli(name, flag)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: modelopt {name} [OPTIONS] ")
    assert "Show this and exit." in ran.out


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_help(name: str) -> None:
    command = modelopt.get_command(click.Context(modelopt), name)
    assert command is not None
    silent = [
        parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


def test_an_unknown_command_far_from_all_lists_them(cli: Any) -> None:
    assert f"hint: commands: {', '.join(NAMES)}" in cli("xyzzy").err


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "prune"]])
def test_version(cli: Any, arguments: list[str]) -> None:
    ran = cli(*arguments)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.split()[0] == "modelopt"
