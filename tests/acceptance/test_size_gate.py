"""A repository with weights, a baseline and rules, as a team would keep it.

Every command runs in a process of its own, as a CI job runs it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

MODEL = "models/tiny.safetensors"
PYPROJECT = """\
[project]
name = "team"
version = "1"

# the gate of the model that we ship
[tool.modelopt.check]
paths = ["models/*.safetensors"]
gates = [
  # an absolute limit, and one against what was merged last
  {metric = "size", max = "1 MiB"},
  {metric = "size", max_growth = "1%", baseline = "ci/baseline.json"},
]
"""
LINE = 1 + PYPROJECT.splitlines().index(
    '  {metric = "size", max_growth = "1%", baseline = "ci/baseline.json"},'
)


class Repository:
    """A folder, and the command run in it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self._environment = environment

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "modelopt_cli", *arguments],
            cwd=self.folder,
            env=self._environment | variables,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def check(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("check", *arguments, **variables)

    def grow(self, share: float) -> None:
        """Make the model larger, or smaller, by a share of its bytes."""
        path = self.folder / MODEL
        tensors: dict[str, Any] = load_file(path)
        more = round(path.stat().st_size * share / 4)
        tensors["head.weight"] = np.resize(
            tensors["head.weight"], tensors["head.weight"].size + more
        )
        save_file(tensors, path)

    @property
    def baseline(self) -> int:
        """The bytes that the baseline holds."""
        found = json.loads((self.folder / "ci" / "baseline.json").read_text())
        return int(found["files"][f"../{MODEL}"]["bytes"])

    @property
    def size(self) -> int:
        return (self.folder / MODEL).stat().st_size


@pytest.fixture
def repository(tmp_path: Path, root: Path) -> Repository:
    for folder in ("models", "ci"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    rng = np.random.default_rng(1)
    tensors = {f"layers.{n}.up.weight": rng.standard_normal((64, 64), "f4") for n in range(4)}
    tensors["head.weight"] = rng.standard_normal(8192, "f4")
    save_file(tensors, tmp_path / MODEL)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{root}:{root / 'cli'}"}
    found = Repository(tmp_path, environment)
    made = found.check("--update-baseline")
    assert made.returncode == 0, made.stderr
    return found


def test_what_has_not_changed_passes(repository: Repository) -> None:
    done = repository.check()
    assert done.returncode == 0
    assert (
        done.stdout.splitlines()[3]
        == " growth vs baseline.json  +1 %        +0.00 %    +1.00 pp     ok"
    )


def test_growth_of_two_percent_fails_and_names_the_line(repository: Repository) -> None:
    before = repository.baseline
    repository.grow(0.02)
    assert 1.019 < repository.size / before < 1.021
    done = repository.check()
    assert done.returncode == 1
    assert (
        "error: 1 of 2 gates failed. Limit set in pyproject.toml [tool.modelopt.check],"
        f" line {LINE}." in " ".join(done.stderr.split())
    )
    assert re.search(r"growth vs baseline.json +\+1 % +\+2\.\d+ % +−1\.\d+ pp +FAIL", done.stdout)
    assert repository.baseline == before


def test_the_annotation_stands_at_that_line(repository: Repository) -> None:
    repository.grow(0.02)
    done = repository.check("--format", "github")
    assert done.returncode == 1
    assert done.stdout.startswith(f"::error file=pyproject.toml,line={LINE},col=")


def test_from_a_folder_below_it_is_the_same_line(repository: Repository) -> None:
    repository.grow(0.02)
    repository.folder /= "models"
    done = repository.check()
    assert done.returncode == 1
    assert f"../pyproject.toml [tool.modelopt.check], line {LINE}." in " ".join(done.stderr.split())


def test_a_percentage_of_small_files_has_a_floor(repository: Repository) -> None:
    repository.grow(0.02)
    both = ("--baseline", "ci/baseline.json", "--max-growth")
    assert repository.check(*both, "1%,64KiB").returncode == 0
    assert repository.check(*both, "1%,1KiB").returncode == 1
    assert repository.check(*both, "3%,1KiB").returncode == 0


def test_shrinking_passes_and_the_baseline_only_falls(repository: Repository) -> None:
    first = repository.baseline
    repository.grow(-0.02)
    assert repository.check().returncode == 0
    assert repository.baseline == first, "a check alone changes nothing"
    assert repository.check("--update-baseline").returncode == 0
    lower = repository.baseline
    assert lower == repository.size < first
    repository.grow(0.005)  # within the limit
    assert repository.check("--update-baseline").returncode == 0
    assert repository.size > repository.baseline == lower
    repository.grow(0.02)  # beyond it, from the lowest that there ever was
    assert repository.check("--update-baseline").returncode == 1
    assert repository.baseline == lower


def _deleted(repository: Repository) -> list[str]:
    (repository.folder / MODEL).unlink()
    return [MODEL]


def _empty_glob(repository: Repository) -> list[str]:
    (repository.folder / MODEL).unlink()
    return []


def _truncated(repository: Repository) -> list[str]:
    path = repository.folder / MODEL
    path.write_bytes(path.read_bytes()[: repository.size // 2])
    return []


def _no_baseline(repository: Repository) -> list[str]:
    (repository.folder / "ci" / "baseline.json").unlink()
    return []


@pytest.mark.parametrize(
    ("break_it", "code", "said"),
    [
        (_deleted, 2, f"no such weight file {MODEL}"),
        (_empty_glob, 2, "no such weight file models/*.safetensors"),
        (_truncated, 3, MODEL),
        (_no_baseline, 2, "no such baseline ci/baseline.json"),
    ],
)
def test_what_is_not_there_is_never_a_pass(
    repository: Repository, break_it: Any, code: int, said: str
) -> None:
    arguments = break_it(repository)
    done = repository.check(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in " ".join(done.stderr.split())


def test_a_vanished_and_a_new_file_are_said(repository: Repository) -> None:
    models = repository.folder / "models"
    (models / "other.safetensors").write_bytes((repository.folder / MODEL).read_bytes())
    assert (
        "note: new, not in ci/baseline.json: models/other.safetensors" in repository.check().stderr
    )
    assert repository.check("--update-baseline").returncode == 0
    (models / "other.safetensors").unlink()
    done = repository.check()
    assert done.returncode == 0
    assert "vanished, still in ci/baseline.json: models/other.safetensors" in " ".join(
        done.stderr.split()
    )


TENSORS, GATES = 5000, 100


@pytest.fixture
def large(repository: Repository) -> Repository:
    """A file of 5,000 tensors, and 100 gates of which each fails, over all of its tensors."""
    tensors = {
        f"layers.{n:04d}.block::error|`%0A.weight": np.full((2, 2), n, "f4") for n in range(TENSORS)
    }
    save_file(tensors, repository.folder / MODEL)
    gates = "".join(
        f'  {{metric = "tensor_bytes", max = {n % 15}, over = "tensor", match = ["*"]}},\n'
        for n in range(GATES)
    )
    (repository.folder / "pyproject.toml").write_text(
        f"[tool.modelopt.check]\npaths = ['{MODEL}']\ngates = [\n{gates}]\n"
    )
    return repository


def test_github_stays_within_its_limits(large: Repository, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("x" * 1000)
    begin = time.monotonic()
    done = large.check("--format", "github", GITHUB_STEP_SUMMARY=str(page))
    assert time.monotonic() - begin < 30
    assert done.returncode == 1
    commands = [line for line in done.stdout.splitlines() if line.lstrip().startswith("::")]
    *errors, stop, resume = commands
    assert len(errors) == 10
    assert all(line.startswith("::error ") and len(line) < 4096 for line in errors)
    assert "91 more gates failed" in errors[-1]
    assert resume == f"::{stop.removeprefix('::stop-commands::')}::"
    lines = [int(found) for line in errors for found in re.findall(r"line=(\d+)", line)]
    assert lines == list(range(4, 13))
    assert page.stat().st_size <= 1024**2
    assert page.read_text().count("| FAIL |") == GATES


def test_a_full_page_is_not_made_too_large(large: Repository, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(b"x" * (1024**2 - 5000))
    assert large.check("--format", "github", GITHUB_STEP_SUMMARY=str(page)).returncode == 1
    assert page.stat().st_size <= 1024**2
    assert page.read_text().endswith(" more lines: see the log of this step.\n")


def test_junit_has_a_case_a_gate(large: Repository) -> None:
    done = large.check("--report", "report.xml")
    assert done.returncode == 1
    suites = ElementTree.parse(large.folder / "report.xml").getroot()
    assert (suites.get("tests"), suites.get("failures")) == (str(GATES), str(GATES))
