"""Groups of commands are folders."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from compress_core.errors import UsageError
from modelopt_cli.folder import CommandFolder

COMMAND = '''"""Greet people.

More.
"""
import click
command = click.Command("x", callback=lambda: 7)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CommandFolder]:
    """A group of three commands, one of them a package, one that cannot be imported."""
    package = tmp_path / "some_commands"
    (package / "nested").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "say_hello.py").write_text(COMMAND)
    (package / "nested" / "__init__.py").write_text(COMMAND.replace("Greet", "Nest"))
    (package / "broken.py").write_text('"""Do it later."""\nraise SystemExit')
    monkeypatch.syspath_prepend(tmp_path)
    yield CommandFolder("some", package="some_commands")
    for name in [name for name in sys.modules if name.partition(".")[0] == "some_commands"]:
        del sys.modules[name]


def context(folder: CommandFolder) -> click.Context:
    return click.Context(folder, info_name="some", terminal_width=80)


def test_modules_and_packages_are_commands(folder: CommandFolder) -> None:
    assert folder.list_commands(context(folder)) == ["broken", "nested", "say-hello"]
    for name in ("nested", "say-hello"):
        command = folder.get_command(context(folder), name)
        assert command is not None
        assert command.callback is not None
        assert command.callback() == 7
    assert folder.get_command(context(folder), "say_hello") is None


def test_the_list_comes_from_source(folder: CommandFolder) -> None:
    lines = folder.get_help(context(folder)).splitlines()
    assert "  broken     Do it later" in lines
    assert "  say-hello  Greet people" in lines
    assert "  nested     Nest people" in lines
    assert "  -h, --help  Show this and exit." in lines


def test_an_unknown_command_has_a_near_one(folder: CommandFolder) -> None:
    with pytest.raises(UsageError, match="unknown command: nestd") as caught:
        folder.resolve_command(context(folder), ["nestd"])
    assert caught.value.hint == "did you mean nested?"


def test_a_command_of_a_group_is_called_through_it(cli: Any) -> None:
    assert cli("spec", "shwo").err == "error: unknown command: shwo\nhint: did you mean show?\n"
    assert cli("spec").err == "error: missing command\nhint: see modelopt spec --help\n"
    assert cli("spec", "--help").out.startswith("Usage: modelopt spec [OPTIONS] COMMAND")
