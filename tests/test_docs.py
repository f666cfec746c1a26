"""The documentation says what is so: links lead somewhere, shown output and specs are real."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from compress_core.spec import load
from modelopt_cli.group import modelopt

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for folder in (ROOT, ROOT / "docs", ROOT / "sample_weights")
    for page in folder.glob("*.md")
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
PYTHON = re.compile(r"^```python\n([^`]*)^```$", re.MULTILINE)
SPEC = re.compile(r"^```yaml\n([^`]*)^```$", re.MULTILINE)


def in_pages(pattern: re.Pattern[str]) -> list[tuple[Path, str]]:
    return [
        (page, found)
        for page in PAGES
        for found in pattern.findall(page.read_text(encoding="utf-8"))
    ]


def commands(command: click.Command, *path: str) -> list[tuple[str, click.Command]]:
    """The words of every command, and the command itself."""
    found = [(" ".join(path), command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += commands(below, *path, name)
    return found


COMMANDS = dict(commands(modelopt, "modelopt"))


def test_links_lead_somewhere() -> None:
    assert [link for page, link in in_pages(LINK) if not (page.parent / link).exists()] == []


def test_every_page_of_docs_is_in_its_index() -> None:
    index = ROOT / "docs" / "index.md"
    pages = {page.name for page in PAGES if page.parent == index.parent and page != index}
    assert pages <= {link for page, link in in_pages(LINK) if page == index}


@pytest.mark.parametrize("spec", [text for _, text in in_pages(SPEC)])
def test_shown_specs_are_accepted(spec: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(spec, encoding="utf-8")
    load(tmp_path / "spec.yaml")


@pytest.mark.parametrize("code", [text for _, text in in_pages(PYTHON)])
def test_shown_code_runs(code: str, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "sample_weights").symlink_to(samples)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_shown_output_is_real() -> None:
    script = ROOT / "docs" / "refresh.py"
    run = subprocess.run([sys.executable, script, "--check"], capture_output=True, encoding="utf-8")
    assert run.returncode == 0, f"{run.stderr}\nto correct the pages: python docs/refresh.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_in_the_reference(name: str) -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {name}\n\n```text\n(.*?)^```$", reference, re.MULTILINE | re.DOTALL)
    assert section, "to write it: python docs/refresh.py"
    words = set(re.findall(r"(?<![\w-])--?\w[\w-]*", section[1]))
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert words >= {*parameter.opts, *parameter.secondary_opts}
            assert parameter.help, f"{parameter.name} has no help"


def test_the_reference_has_no_other_commands() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", reference, re.MULTILINE) == list(COMMANDS)
