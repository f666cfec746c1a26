"""``[tool.modelopt]`` of the nearest pyproject.toml: limits and talk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from compress_core.errors import SpecError
from modelopt_cli.group import modelopt
from modelopt_cli.project import KEYS, VARIABLES, key_of, project_of


def write(folder: Path, *lines: str, table: str = "[tool.modelopt]") -> Path:
    file = folder / "pyproject.toml"
    file.write_text("\n".join((table, *lines)))
    return file


@pytest.fixture
def project(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and a folder in it to work in."""
    for key in KEYS:
        monkeypatch.delenv(f"{VARIABLES}{key.upper().replace('-', '_')}", raising=False)
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    return tmp_path


def _options(command: click.Command) -> Iterator[click.Parameter]:
    yield from command.params
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _options(below)


def test_the_keys_are_the_variables_of_the_environment() -> None:
    assert {key_of(option.envvar) for option in _options(modelopt)} - {None} == set(KEYS)
    assert key_of("NO_COLOR") is None


def test_no_table_says_nothing(project: Path) -> None:
    assert project_of(project) == {}
    write(project, "x = 1", table="[tool.other] # modelopt")
    assert project_of(project) == {}


def test_values_are_as_typed(project: Path) -> None:
    file = write(project, 'max-memory = "1 GiB"', "jobs = 2", "[tool.modelopt.check]", "paths = []")
    said = project_of(project)
    assert {key: one.text for key, one in said.items()} == {"max-memory": "1 GiB", "jobs": "2"}
    assert str(said["jobs"].place) == f"{file}:3:1  tool.modelopt.jobs"


def test_the_nearest_table_counts_alone(project: Path) -> None:
    write(project, "jobs = 2")
    write(project / "deep", 'color = "never"')
    assert set(project_of(project / "deep")) == {"color"}
    write(project / "deep", "x = 1", table="[tool.other]")
    assert set(project_of(project / "deep")) == {"jobs"}


@pytest.mark.parametrize("table", ["[tool.modelopt.check]\npaths = []", "[tool.modelopt]"])
def test_a_table_without_limits_leaves_those_above(project: Path, table: str) -> None:
    write(project, "jobs = 2")
    write(project / "deep", table=table)
    assert set(project_of(project / "deep")) == {"jobs"}


def test_a_large_file_of_others_is_not_in_the_way(cli: Any, project: Path) -> None:
    write(project, "#" * 1_100_000, table="# nothing")
    assert cli("list", "layouts").code == 0


def test_a_damaged_file_of_others_is_not_in_the_way(cli: Any, project: Path, weights: Path) -> None:
    write(project, table="<<<<<<< HEAD")
    assert cli("inspect", weights).code == 0
    write(project, "<<<<<<< HEAD")
    ran = cli("inspect", weights)
    assert (ran.code, ran.out) == (2, "")
    assert "not TOML" in ran.err


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("job = 1", "unknown key: 'job'", "did you mean jobs?"),
        ("max_memory = 1", "unknown key: 'max_memory'", "did you mean max-memory?"),
        ("xyzzy = 1", "unknown key: 'xyzzy'", "keys: color, jobs, max-memory, progress, check"),
        ("bits = 4", "only a spec or a flag can say bits", "put it into a spec"),
        ("on-exists = 'replace'", "only a spec or a flag can say on-exists", "put it into a spec"),
        ("quantize = {bits = 4}", "only a spec or a flag can say quantize", "put it into a spec"),
        ("gates = []", "gates is of the gate", "under [tool.modelopt.check]"),
        ("jobs = true", "jobs: true is not accepted", "a whole number"),
        ("jobs = 1.5", "jobs: 1.5 is not accepted", "a whole number"),
        ("color = []", "color: [] is not accepted", "text"),
    ],
)
def test_mistakes_have_a_line_and_a_hint(project: Path, line: str, message: str, hint: str) -> None:
    file = write(project, "", line)
    with pytest.raises(SpecError) as caught:
        project_of(project)
    assert message in caught.value.message
    assert (caught.value.where or "").startswith(f"{file}:3:1  tool.modelopt.")
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("jobs = 0", "jobs: 0 is not in the range", "see modelopt quantize --help"),
        ("max-memory = '64 MiB'", "max-memory: 64.00 MiB of memory is too little", "'72 MiB'"),
        ("max-memory = '10M'", "max-memory: unknown unit in size '10M'", "'10 MiB'"),
        ("color = 'blue'", "color: 'blue' is not one of", "see modelopt quantize --help"),
        ("progress = 1", "progress: '1' is not one of", "see modelopt quantize --help"),
    ],
)
def test_a_value_that_no_option_takes_has_a_line(
    cli: Any, project: Path, weights: Path, line: str, message: str, hint: str
) -> None:
    write(project, line)
    ran = cli("quantize", weights, "--bits", "4")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {message}")
    assert "  ../pyproject.toml:2:1  tool.modelopt." in ran.err
    assert hint in ran.err


def test_a_flag_wins_over_the_environment_and_that_over_the_project(
    cli: Any, project: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*flags: str) -> str:
        err: str = cli("quantize", weights, "--bits", "4", "-n", *flags).err
        return err.partition(" of memory is too little")[0].removeprefix("error: ")

    write(project, "max-memory = '1 MiB'")
    assert said() == "max-memory: 1.00 MiB"
    monkeypatch.setenv("MODELOPT_CLI_MAX_MEMORY", "2 MiB")
    assert said() == "MODELOPT_CLI_MAX_MEMORY: 2.00 MiB"
    assert said("--max-memory", "3 MiB") == "--max-memory: 3.00 MiB"


def test_talk_is_set_as_well(cli: Any, project: Path, weights: Path) -> None:
    write(project, 'color = "always"')
    assert "\x1b[1m" in cli("inspect", weights).out
    assert "\x1b" not in cli("inspect", weights, "--color", "never").out


def test_standing_limits_do_not_keep_headers_from_being_read(
    cli: Any, project: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "jobs = 2")
    monkeypatch.setenv("MODELOPT_CLI_MAX_MEMORY", "1GiB")
    assert cli("inspect", weights).code == 0
    assert cli("inspect", weights, "--jobs", "2").code == 2


def test_help_and_completion_do_not_look(cli: Any, project: Path) -> None:
    write(project, "job = 1")
    assert cli("quantize", "--help").code == 0
    assert cli("--version").code == 0
