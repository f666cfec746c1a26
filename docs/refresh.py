"""Put real output into the pages: that of the tool, and the tables that scripts print.

    python docs/refresh.py            rewrite the pages
    python docs/refresh.py --check    only tell what differs; exit code 1 if anything does

The output of ``modelopt …`` stands below ``$ modelopt …`` in a console block, a table that
``python …`` prints in Markdown between ``<!-- output of: python … -->`` and ``<!-- end -->``.
Commands run in a copy of ``sample_weights/``, as in a terminal of 100 columns; stdout is shown.
The page ``docs/cli.md`` is the ``--help`` of every command and nothing else.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from modelopt_cli.group import modelopt

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "cli.md"
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md"), REFERENCE})]
REFERENCE_HEAD = """\
# Command line

What `--help` says of every command. This page is written by `python docs/refresh.py`.
"""
SHOWN = (
    re.compile(r"^(```console\n\$ (modelopt .*)\n)[^`]*^(```)$", re.MULTILINE),
    re.compile(r"^(<!-- output of: (python .*) -->\n\n)[^<]*(\n<!-- end -->)$", re.MULTILINE),
)


def output(command: str) -> str:
    """What a command prints, ``modelopt …`` or ``python …``.

    :raises CalledProcessError: it fails.
    """
    program, *arguments = shlex.split(command)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "sample_weights", Path(folder) / "sample_weights")
        run = subprocess.run(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=folder,
            env=os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        )
    return "".join(line.rstrip() + "\n" for line in run.stdout.splitlines())


def refreshed(text: str) -> str:
    """``text`` with what its commands print today."""
    for shown in SHOWN:
        text = shown.sub(lambda found: f"{found[1]}{output(found[2])}{found[3]}", text)
    return text


def contexts(
    command: click.Command, name: str, parent: click.Context | None = None
) -> Iterator[click.Context]:
    """A command and all commands below it, each as if called on a terminal of 80 columns."""
    context = click.Context(command, parent, info_name=name, terminal_width=80)
    yield context
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is not None:
                yield from contexts(found, below, context)


def reference() -> str:
    """The page with the help of every command."""
    sections = (
        f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"
        for context in contexts(modelopt, "modelopt")
    )
    return REFERENCE_HEAD + "".join(sections)


def wanted(page: Path, text: str) -> str:
    """What a page with this text should be."""
    return reference() if page == REFERENCE else refreshed(text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Put real output into the pages.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 on differences"
    )
    check = parser.parse_args().check
    differences: list[str] = []
    for page in PAGES:
        old = page.read_text(encoding="utf-8") if page.exists() else ""
        new = wanted(page, old)
        differences += difflib.unified_diff(
            old.splitlines(), new.splitlines(), str(page), "real output", n=0, lineterm=""
        )
        if not check:
            page.write_text(new, encoding="utf-8")
    if check and differences:
        sys.exit("\n".join(differences))


if __name__ == "__main__":
    main()
