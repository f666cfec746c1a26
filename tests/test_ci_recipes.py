"""docs/ci.md: the shell steps of its recipes are run, in a repository with the rules shown there.

There is no network in tests: ``pip install``, ``gh`` and ``curl`` are stand-ins that write down
what they were asked for, and ``modelopt`` is the one under test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

PAGE = (Path(__file__).parents[1] / "docs" / "ci.md").read_text(encoding="utf-8")
RULES = re.search(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
UPDATE = re.search(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
RECIPES = re.findall(r"^```yml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
GITHUB, GITLAB = map(yaml.safe_load, RECIPES)

STAND_IN = """\
#!/bin/sh
printf '%s' "$(basename "$0")" >> "$CALLS"
for word in "$@"; do printf ' <%s>' "$word" >> "$CALLS"; done
echo >> "$CALLS"
"""


@dataclass(frozen=True)
class Job:
    """A folder with weights and rules, and a shell in which a runner's steps are run."""

    folder: Path
    variables: dict[str, str]

    def shell(self, script: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.variables | more,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return Path(self.variables["CALLS"]).read_text().splitlines()


@pytest.fixture
def job(tmp_path: Path, samples: Path) -> Job:
    tools, folder = tmp_path / "tools", tmp_path / "repository"
    tools.mkdir()
    for name in ("pip", "gh", "curl"):
        (tools / name).write_text(STAND_IN)
        (tools / name).chmod(0o755)
    (tools / "modelopt").symlink_to(Path(sys.executable).with_name("modelopt"))
    (folder / "models").mkdir(parents=True)
    shutil.copy(samples / "silero_vad_16k.safetensors", folder / "models" / "vad.safetensors")
    assert RULES is not None
    (folder / "pyproject.toml").write_text(RULES[1])
    job = Job(
        folder,
        {
            "PATH": f"{tools}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "CALLS": str(tmp_path / "calls"),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "page.md"),
            "GITHUB_WORKSPACE": str(folder),
            "CI": "true",
        },
    )
    assert UPDATE is not None
    made = job.shell(UPDATE[1])
    assert made.returncode == 0, made.stderr
    assert (folder / "baseline.json").exists()
    return job


def tighten(job: Job) -> None:
    """Make a limit one that fails."""
    path = job.folder / "pyproject.toml"
    path.write_text(path.read_text().replace("25 MiB", "25 KiB"))


def on_github(job: Job) -> list[subprocess.CompletedProcess[str]]:
    """Run the steps as GitHub does: after a failure, only those that ask for it."""
    done: list[subprocess.CompletedProcess[str]] = []
    for step in GITHUB["jobs"]["gate"]["steps"]:
        if "run" not in step:
            continue
        failed = any(one.returncode for one in done)
        if failed and step.get("if") != "${{ !cancelled() }}":
            continue
        given = {"PULL_REQUEST": "7"} if "env" in step else {}
        done.append(job.shell(step["run"], **GITHUB["env"], **given))
    return done


def test_github_passes(job: Job) -> None:
    assert [one.returncode for one in on_github(job)] == [0, 0, 0]
    assert job.calls == [
        "pip <install> <./tools/modelopt>",
        "gh <pr> <comment> <7> <--body-file> <check.md> <--edit-last> <--create-if-none>",
    ]
    table = (job.folder / "check.md").read_text(encoding="utf-8")
    assert "| `size vad` | ≤ 25.00 MiB |" in table
    assert Path(job.variables["GITHUB_STEP_SUMMARY"]).read_text(encoding="utf-8") == table


def test_github_fails_and_comments_all_the_same(job: Job) -> None:
    tighten(job)
    install, check, comment = on_github(job)
    assert [install.returncode, check.returncode, comment.returncode] == [0, 1, 0]
    assert check.stdout.startswith("::error file=pyproject.toml,line=4,")
    assert job.calls[-1].startswith("gh <pr> <comment> <7>")


def test_github_has_no_table_of_what_is_no_check(job: Job) -> None:
    (job.folder / "models" / "vad.safetensors").unlink()
    assert [one.returncode for one in on_github(job)] == [0, 2, 0]
    assert job.calls == ["pip <install> <./tools/modelopt>"]


def on_gitlab(job: Job) -> tuple[int, int]:
    """Run the job as GitLab does: one shell for its script, and another one afterwards."""
    work: dict[str, Any] = GITLAB["weights"]
    variables = GITLAB["variables"] | {
        "COMMENT_TOKEN": "t",
        "CI_API_V4_URL": "https://host/api/v4",
        "CI_PROJECT_ID": "5",
        "CI_MERGE_REQUEST_IID": "7",
    }
    script = job.shell("\n".join(work["script"]), **variables)
    after = job.shell("\n".join(work["after_script"]), **variables)
    return script.returncode, after.returncode


@pytest.mark.parametrize("fails", [False, True])
def test_gitlab(job: Job, fails: bool) -> None:
    if fails:
        tighten(job)
    assert on_gitlab(job) == (int(fails), 0)
    assert job.calls == [
        "pip <install> <./tools/modelopt>",
        "curl <--fail> <--silent> <--show-error> <--header> <PRIVATE-TOKEN: t>"
        " <--data-urlencode> <body@check.md>"
        " <https://host/api/v4/projects/5/merge_requests/7/notes>",
    ]
    artifacts = GITLAB["weights"]["artifacts"]
    suites = ElementTree.parse(job.folder / artifacts["reports"]["junit"]).getroot()
    assert suites.get("failures") == str(int(fails))
    assert all((job.folder / path).exists() for path in artifacts["paths"])
