"""Hostile YAML is refused as a spec error, within bounds of time and memory, wherever it stands."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "corpus" / "bad_inputs"
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case
    for case in json.loads((CORPUS / "expected.json").read_text())["cases"]
    if case["kind"] == "yaml"
}

# VmHWM and not ru_maxrss, which begins at the peak of the process that started this one
PROBE = """
import json, re, sys
from pathlib import Path
from compress_core.errors import SpecError
from compress_core.spec import load
try:
    load(sys.argv[1])
except SpecError as error:
    said = [error.message, error.where, error.hint]
else:
    said = None
status = Path("/proc/self/status")
peak = int(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1]) if status.exists() else 0
print(json.dumps({"said": said, "peak": peak}))
"""

PASS = "version: 1\npasses:\n  - pass: prune\n    sparsity: {}\n"
# the same flaw as the case of that name, inside a spec that is valid but for it; line and column
NESTED = {
    "yml_python_name": (PASS.format("!!python/name:os.system"), "4:15"),
    "yml_unknown_tag": (PASS.format("!foo 0.5"), "4:15"),
    "yml_laughs": (PASS.format("0.5\n    match: &a [x, x]\n    ignore: [*a, *a]"), "5:12"),
    "yml_self_alias": (PASS.format("0.5\n    match: &a [*a]"), "5:12"),
    "yml_duplicate_key": (PASS.format("0.5\n    sparsity: 0.9"), "5:5"),
    "yml_syntax": (PASS.format("0.5\n    match: [a, b\nname: x"), "6:5"),
    "yml_tab": (PASS.format("0.5\n\tmatch: a"), "5:1"),
    "yml_two_documents": (PASS.format("0.5\n---\nversion: 1"), "5:1"),
}


def probe(path: Path, limits: dict[str, float]) -> list[str]:
    """Message, place and hint of the error, in a process that keeps to ``limits``."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=limits["seconds"],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["peak"] < limits["rss_mb"] * 1024
    said: list[str] = found["said"]
    return said


@pytest.mark.parametrize("name", CASES)
def test_bad_files(name: str) -> None:
    path = CORPUS / CASES[name]["path"]
    said = probe(path, CASES[name]["limits"])
    assert said is not None
    assert said[1].startswith(f"{path}:")


@pytest.mark.parametrize("name", NESTED)
def test_the_same_flaw_inside_a_valid_spec(name: str, tmp_path: Path) -> None:
    text, position = NESTED[name]
    path = tmp_path / "a.yaml"
    path.write_text(text)
    said = probe(path, CASES[name]["limits"])
    assert said is not None
    assert said[1].split("  ")[0] == f"{path}:{position}"


def test_the_spec_around_the_flaws_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(PASS.format(0.5))
    assert probe(path, {"seconds": 10, "rss_mb": 600}) is None


def test_every_case_of_the_corpus_is_nested_too() -> None:
    assert NESTED.keys() == CASES.keys()


def test_a_whole_bad_file_can_hide_in_a_block(tmp_path: Path) -> None:
    laughs = (CORPUS / CASES["yml_laughs"]["path"]).read_text()
    path = tmp_path / "a.yaml"
    path.write_text(PASS.format("0.5") + "    match:\n" + textwrap.indent(laughs, "      "))
    assert "anchors" in probe(path, CASES["yml_laughs"]["limits"])[0]
