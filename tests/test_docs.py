"""The documentation says what is so: links lead somewhere, and shown output is the tool's."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "sample_weights")
    for path in folder.glob("*.md")
)
LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
YAML = re.compile(r"^```yaml\n([^`]*)^```$", re.MULTILINE)
CONSOLE = re.compile(r"^```console\n\$ modelopt (.*)\n([^`]*)^```$", re.MULTILINE)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(text(page)) if not (page.parent / link).exists()]
    assert missing == []


def test_every_page_of_docs_is_in_its_index() -> None:
    index = ROOT / "docs" / "index.md"
    pages = {page.name for page in PAGES if page.parent == index.parent} - {index.name}
    assert pages - set(LINK.findall(text(index))) == set()


def modelopt(arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one command line in ``folder``, as in a terminal of 100 columns."""
    return subprocess.run(
        [Path(sys.executable).with_name("modelopt"), *shlex.split(arguments)],
        cwd=folder,
        env=os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


SHOWN = [
    pytest.param(*shown, id=f"{page.name}: modelopt {shown[0]}")
    for page in PAGES
    for shown in CONSOLE.findall(text(page))
]


@pytest.mark.parametrize(("arguments", "output"), SHOWN)
def test_shown_output_is_real(arguments: str, output: str, samples: Path, tmp_path: Path) -> None:
    shutil.copytree(samples, tmp_path / samples.name)
    run = modelopt(arguments, tmp_path)
    assert run.returncode == 0, run.stderr
    assert [line.rstrip() for line in run.stdout.splitlines()] == output.splitlines()


SPECS = [
    pytest.param(spec, id=f"{page.name}: spec {number}")
    for page in PAGES
    for number, spec in enumerate(YAML.findall(text(page)), start=1)
]


@pytest.mark.parametrize("spec", SPECS)
def test_shown_spec_is_accepted(spec: str, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(spec, encoding="utf-8")
    source = shlex.quote(str(samples / "fracast.safetensors"))
    run = modelopt(f"plan {source} --spec spec.yaml --on-unmatched ignore", tmp_path)
    assert run.returncode == 0, run.stderr
