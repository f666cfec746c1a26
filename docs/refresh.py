"""Put the real output of the tool into the pages: below ``$ modelopt …`` in a console block.

    python docs/refresh.py            rewrite the pages
    python docs/refresh.py --check    only tell what differs; exit code 1 if anything does

Commands run in a copy of ``sample_weights/``, as in a terminal of 100 columns; stdout is shown.
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
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"^(```console\n\$ modelopt (.*)\n)[^`]*^```$", re.MULTILINE)


def output(arguments: str) -> str:
    """What ``modelopt ARGUMENTS`` prints.

    :raises CalledProcessError: it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "sample_weights", Path(folder) / "sample_weights")
        run = subprocess.run(
            [Path(sys.executable).with_name("modelopt"), *shlex.split(arguments)],
            cwd=folder,
            env=os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONUTF8": "1"},
            stdout=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        )
    return "".join(line.rstrip() + "\n" for line in run.stdout.splitlines())


def refreshed(text: str) -> str:
    return SHOWN.sub(lambda found: f"{found[1]}{output(found[2])}```", text)


def main() -> None:
    parser = argparse.ArgumentParser(description="Put the real output of the tool into the pages.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 on differences"
    )
    check = parser.parse_args().check
    differences: list[str] = []
    for page in PAGES:
        old = page.read_text(encoding="utf-8")
        new = refreshed(old)
        differences += difflib.unified_diff(
            old.splitlines(), new.splitlines(), str(page), "real output", n=0, lineterm=""
        )
        if not check:
            page.write_text(new, encoding="utf-8")
    if check and differences:
        sys.exit("\n".join(differences))


if __name__ == "__main__":
    main()
