"""CONTRIBUTING.md: its example of a new pass is extracted and used as a newcomer would."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import compress_core.passes
from compress_core import registry
from compress_core.fields import options_of

Cli = Callable[..., str]

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
METADATA = "Metadata-Version: 2.1\nName: modelopt-clip\nVersion: 1.0\n"
CLIP = {"pass": "clip", "bound": 0.1}


def block(language: str) -> str:
    """The only block of a language that stands in the section."""
    (section,) = re.findall(r"^## A new pass, step by step\n(.*?)^## ", TEXT, re.M | re.S)
    found = re.findall(rf"^```{language}\n(.*?)^```$", section, re.M | re.S)
    assert len(found) == 1
    return str(found[0])


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks as if a distribution with the pass had been installed into it."""
    folder = tmp_path_factory.mktemp("site")
    points = tomllib.loads(block("toml"))["project"]["entry-points"]
    (module,) = {target.partition(":")[0] for one in points.values() for target in one.values()}
    (folder / f"{module}.py").write_text(block("python"), encoding="utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in one.items())
        for group, one in points.items()
    ]
    (info / "entry_points.txt").write_text("".join(lines))
    return folder


@pytest.fixture
def environment(installed: Path, root: Path) -> dict[str, str]:
    """One in which the distribution is found, and in which no outer test run interferes."""
    paths = [str(path) for path in (installed, root, root / "cli")]
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return {**own, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    """What a command prints; it must not fail."""

    def run(*arguments: str | Path) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "modelopt_cli", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Any]:
    """What ``model.safetensors`` in the working folder holds."""
    rng = np.random.default_rng(4)
    found: dict[str, Any] = {
        code.__name__: (rng.standard_normal((48, 64)) * 0.1).astype(code)
        for code in (np.float16, np.float32, np.float64)
    }
    found["bias"] = np.ones(8, np.float32)
    save_file(found, tmp_path / "model.safetensors")
    return found


def test_the_command_line_knows_it(cli: Cli) -> None:
    listed = " ".join(cli("list", "passes").split())
    assert "clip set weights beyond a bound to the bound" in listed
    assert "bound   required  largest magnitude that stays" in cli("list", "passes", "clip")


def test_every_command_shown_works(cli: Cli, weights: dict[str, Any], tmp_path: Path) -> None:
    for line in block("sh").splitlines():
        command, *arguments = shlex.split(line)
        assert command == "modelopt"
        assert cli(*arguments)
    assert (tmp_path / "small.safetensors").exists()


def test_flags_and_spec_are_the_same(cli: Cli, tmp_path: Path) -> None:
    printed = cli("compress", "x.safetensors", "--pass", "clip bound=0.1", "--print-spec")
    (tmp_path / "clip.yaml").write_text(printed, encoding="utf-8")
    cli("spec", "validate", "clip.yaml")
    assert cli("compress", "x.safetensors", "--spec", "clip.yaml", "--print-spec") == printed
    assert '"const": "clip"' in cli("spec", "schema")


@pytest.mark.parametrize("layout", registry.names("layouts"))
def test_what_comes_back_is_clipped_and_the_rest_as_it_was(
    cli: Cli, layout: str, weights: dict[str, Any], tmp_path: Path
) -> None:
    asked = ["model.safetensors", "--pass", "clip bound=0.1", "--layout", layout, "--json"]
    promised = json.loads(cli("compress", *asked, "--dry-run"))
    report = json.loads(cli("compress", *asked, "-o", "small.safetensors"))
    written = (tmp_path / "small.safetensors").stat().st_size
    assert promised["totals"]["bytes_out"] == report["totals"]["bytes_out"] == written
    assert {tensor["name"]: tensor["to"] for tensor in report["tensors"]} == {
        "bias": "kept",
        **dict.fromkeys(("float16", "float32", "float64"), "changed"),
    }
    cli("restore", "small.safetensors", "-o", "dense.safetensors")
    after = load_file(tmp_path / "dense.safetensors")
    for name, array in weights.items():
        bound = array.dtype.type(np.float32(0.1))
        expected = array if name == "bias" else array.clip(-bound, bound)
        assert after[name].tobytes() == expected.tobytes(), name
    assert report["spec"]["passes"] == [CLIP]


def test_it_works_with_other_passes_and_refuses_what_makes_no_sense(
    cli: Cli, environment: dict[str, str], weights: dict[str, Any], tmp_path: Path
) -> None:
    passes = ["--pass", "prune sparsity=0.5", "--pass", "clip bound=0.1"]
    cli("compress", "model.safetensors", *passes, "-o", "small.safetensors")
    cli("restore", "small.safetensors", "-o", "dense.safetensors")
    after = load_file(tmp_path / "dense.safetensors")["float32"]
    assert np.count_nonzero(after == 0) == after.size // 2
    assert np.abs(after).max() == np.float32(0.1)
    command = [sys.executable, "-m", "modelopt_cli", "compress", "model.safetensors"]
    wrong = ["--pass", "quantize bits=4", "--pass", "clip bound=0.1"]
    done = subprocess.run(
        [*command, *wrong], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"hint: clip first, then quantize" in done.stderr


def test_it_keeps_the_contracts(environment: dict[str, str], root: Path) -> None:
    assert "pytest tests/contracts -k clip" in TEXT
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "tests/contracts", "-k", "clip"],
        cwd=root,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= 20


@pytest.fixture
def dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The file lies among the passes of the package."""
    (tmp_path / "clip.py").write_text(block("python"), encoding="utf-8")
    folders = [*compress_core.passes.__path__, str(tmp_path)]
    monkeypatch.setattr(compress_core.passes, "__path__", folders)
    caches = (registry._modules, registry._plugins, registry.get)
    for one in caches:
        one.cache_clear()
    importlib.invalidate_caches()
    yield
    for one in caches:
        one.cache_clear()
    sys.modules.pop("compress_core.passes.clip", None)
    vars(compress_core.passes).pop("clip", None)


@pytest.mark.usefixtures("dropped")
def test_in_the_folder_of_passes_it_is_found_by_its_name() -> None:
    assert "clip" in registry.names("passes")
    cls = registry.get("passes", "clip")
    assert cls.from_config({"bound": 0.1}).config() == {"bound": 0.1}
    assert list(options_of(cls)) == ["bound"]


@pytest.mark.parametrize("check", [("check",), ("format", "--check")])
def test_it_is_in_the_style_of_the_house(check: tuple[str, ...], root: Path) -> None:
    place = root / "compress_core" / "passes" / "clip.py"
    command = [sys.executable, "-m", "ruff", *check, "--no-cache"]
    done = subprocess.run(
        [*command, "--stdin-filename", str(place), "-"],
        input=block("python"),
        cwd=root,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
