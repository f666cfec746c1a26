"""What is imported when, and how long that takes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

_LIST = """
import sys
from modelopt_cli import main
code = main.run(sys.argv[1:])
sys.stderr.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
sys.exit(code)
"""


def loaded(environment: dict[str, str], *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _LIST, *arguments],
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["prune", "--help"],
        ["diff", "--help"],
        ["gram", "--help"],
        ["check", "--help"],
        ["batch", "--help"],
        ["spec", "--help"],
    ],
)
def test_help_loads_nothing_heavy(clean_environment: dict[str, str], arguments: list[str]) -> None:
    assert not loaded(clean_environment, *arguments) & {"numpy", "rich", "yaml", "ml_dtypes"}


def test_version_loads_next_to_nothing(clean_environment: dict[str, str]) -> None:
    code = (
        "import sys; from modelopt_cli import main; assert main.run(['--version']) == 0;"
        "heavy = {'click', 'dataclasses', 'importlib.util', 'pathlib', 'typing'};"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    # without `site`, which imports some of them where packages are installed for editing
    subprocess.run([sys.executable, "-S", "-c", code], env=clean_environment, check=True)


def test_projects_without_a_table_cost_nothing(
    clean_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    monkeypatch.chdir(tmp_path)
    assert "tomllib" not in loaded(clean_environment, "list", "layouts")
    (tmp_path / "pyproject.toml").write_text("[tool.modelopt]\n")
    assert "tomllib" in loaded(clean_environment, "list", "layouts")
    assert "tomllib" not in loaded(clean_environment, "quantize", "--help")


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "{weights}"],
        ["quantize", "{weights}", "--bits", "4", "--dry-run"],
        ["prune", "{weights}", "--structure", "2of4", "--dry-run"],
        ["plan", "{weights}", "--compare", "W8A16,W4A16"],
        ["check", "{weights}", "--max-size", "1GiB"],
        ["list", "passes", "quantize"],
        ["list", "presets", "W4A16"],
        ["list", "layouts"],
        ["list", "formats"],
        ["spec", "schema"],
        ["spec", "init", "{weights}"],
        ["spec", "validate", "{spec}", "--against", "{weights}"],
    ],
)
def test_headers_are_read_without_numpy(
    clean_environment: dict[str, str], weights: Path, arguments: list[str]
) -> None:
    spec = weights.with_name("a.yaml")
    spec.write_text("version: 1\npasses: [{pass: prune, sparsity: 0.5}]\n")
    given = [argument.format(weights=weights, spec=spec) for argument in arguments]
    assert not loaded(clean_environment, *given) & {"numpy", "ml_dtypes"}


_PLAIN_RUN = """
import sys
from modelopt_cli import main
code = main.run(sys.argv[1:])
sys.stderr.write(" ".join(sorted(sys.modules)))
sys.exit(code)
"""


_UNUSED = (
    *("compress_core.archive", "compress_core.conventions.", "compress_core.gates"),
    *("compress_core.formats.folder.", "compress_core.formats.numpy.header"),
    *("compress_core.formats.torch.", "compress_core.spec.gates", "compress_core.views"),
    *("modelopt_cli.render.judged", "modelopt_cli.render.of_check"),
    *("email", "importlib.metadata", "ml_dtypes", "tempfile", "xml", "yaml", "zipfile"),
    *("rich.console", "rich.progress", "rich.table"),
)
"""Beginnings of modules that are for other inputs, other results, or errors."""


def test_a_plain_run_loads_only_what_it_uses(
    clean_environment: dict[str, str], weights: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.safetensors"
    given = ["quantize", weights, "-o", target, "--bits", "8", "--scale-search", "none"]
    # without `site`, whose hooks for packages installed for editing import some of them
    path = os.pathsep.join([clean_environment["PYTHONPATH"], *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-S", "-c", _PLAIN_RUN, *map(str, given)],
        env=clean_environment | {"PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    modules = set(done.stderr.splitlines()[-1].split())
    assert {"numpy", "compress_core.formats.safetensors.writer"} <= modules
    assert {name for name in modules if name.startswith(_UNUSED)} == set()


def test_names_of_tensors_are_completed_without_numpy(
    clean_environment: dict[str, str], weights: Path
) -> None:
    line = f"modelopt quantize {weights} --match lay"
    asked = {"_MODELOPT_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": "4"}
    assert not loaded(clean_environment | asked) & {"numpy", "ml_dtypes", "yaml"}


def _seconds(environment: dict[str, str], *command: str) -> float:
    def once() -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=True)
        return time.perf_counter() - begin

    return min(once() for _ in range(7))


@pytest.mark.slow
def test_help_takes_less_than_twice_the_import_of_click(
    clean_environment: dict[str, str],
) -> None:
    click = _seconds(clean_environment, "-c", "import click")
    assert _seconds(clean_environment, "-m", "modelopt_cli", "--help") < 2 * click
