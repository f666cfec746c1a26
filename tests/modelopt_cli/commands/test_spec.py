"""``modelopt spec``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from compress_core.spec import load
from compress_core.spec.loader import loads
from compress_core.spec.schema import json_schema
from modelopt_cli.starter import starter
from tests.compress_core.spec.test_loader import VALID

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "tests" / "corpus" / "bad_inputs"
BAD = [
    case["path"]
    for case in json.loads((CORPUS / "expected.json").read_text())["cases"]
    if case["kind"] == "yaml"
]
QUANTIZE = "version: 1\npasses:\n  - pass: quantize\n    bits: 4\n"

Written = Callable[..., Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a spec file."""

    def write(text: str, name: str = "a.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return path

    return write


class TestInit:
    """``modelopt spec init``."""

    def test_to_stdout(self, cli: Any) -> None:
        ran = cli("spec", "init")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == starter()

    def test_to_a_file(self, cli: Any, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        ran = cli("spec", "init", "-o", path)
        assert (ran.code, ran.out, ran.err) == (0, f"Wrote {path}\n", "")
        assert path.read_text(encoding="utf-8") == starter()
        assert cli("spec", "validate", path).code == 0

    def test_what_exists_is_replaced_only_by_force(self, cli: Any, written: Written) -> None:
        path = written("mine")
        ran = cli("spec", "init", "-o", path)
        assert ran.code == 2
        assert "hint: pass --force to replace it" in ran.err
        assert path.read_text() == "mine"
        assert cli("spec", "init", "-o", path, "-f").code == 0
        assert load(path) == loads(starter())

    @pytest.mark.parametrize("kind", ["file", "folder"])
    def test_for_weights(
        self, cli: Any, weights: Path, samples: Path, tmp_path: Path, kind: str
    ) -> None:
        source = weights if kind == "file" else samples / "fracast-bf16"
        path = tmp_path / "a.yaml"
        assert cli("spec", "init", source, "-o", path).code == 0
        assert f"# In {source}:" in path.read_text(encoding="utf-8")
        assert cli("spec", "validate", path, "--against", source).code == 0

    def test_weights_are_never_replaced(self, cli: Any, weights: Path) -> None:
        before = weights.read_bytes()
        ran = cli("spec", "init", weights, "-o", weights, "-f")
        assert ran.code == 2
        assert "the output is the input" in ran.err
        assert weights.read_bytes() == before

    def test_bad_weights(self, cli: Any, written: Written, tmp_path: Path) -> None:
        assert cli("spec", "init", written("x")).code == 3
        assert cli("spec", "init", "-o", tmp_path / "none" / "a.yaml").code == 4


class TestValidate:
    """``modelopt spec validate``."""

    @pytest.mark.parametrize("name", VALID)
    def test_valid_specs_of_every_shape(self, cli: Any, written: Written, name: str) -> None:
        path = written(VALID[name])
        ran = cli("spec", "validate", path)
        assert (ran.code, ran.out, ran.err) == (0, f"{path}: valid\n", "")

    @pytest.mark.parametrize("path", BAD)
    def test_bad_files(self, cli: Any, path: str) -> None:
        ran = cli("spec", "validate", CORPUS / path)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("error: ")
        assert str(CORPUS / path) in ran.err
        assert len(ran.err.splitlines()) <= 4

    def test_a_mistake_has_its_place(self, cli: Any, written: Written) -> None:
        path = written(f"{QUANTIZE}    ignore:\n      - a\n      - re:(\n")
        said = cli("spec", "validate", path).err.splitlines()
        assert said[0].startswith("error: not a regular expression")
        assert said[1] == f"  {path}:7:9  passes[0].ignore[1]"

    def test_all_files_are_checked(self, cli: Any, written: Written, tmp_path: Path) -> None:
        good, bad = written(QUANTIZE, "good.yaml"), written("version: 2\n", "bad.yaml")
        ran = cli("spec", "validate", bad, good, tmp_path / "none.yaml")
        assert (ran.code, ran.out) == (2, f"{good}: valid\n")
        assert ran.err.count("error: ") == 2
        assert f"{bad}:1:1  version" in ran.err
        assert "none.yaml" in ran.err

    def test_names_cannot_drive_the_terminal(self, cli: Any, written: Written) -> None:
        assert "\x1b" not in cli("spec", "validate", written(QUANTIZE, "\x1b[2J.yaml")).out

    def test_a_path_is_needed(self, cli: Any) -> None:
        assert cli("spec", "validate").err.startswith("error: missing argument")


class TestAgainst:
    """``modelopt spec validate --against``."""

    def test_what_it_would_change(self, cli: Any, written: Written, weights: Path) -> None:
        path = written(QUANTIZE + "    ignore: embed_tokens\n")
        ran = cli("spec", "validate", path, "--against", weights)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == f"{path}: valid for {weights}, changes 2 of 5 tensors\n"

    def test_a_folder(self, cli: Any, written: Written, samples: Path) -> None:
        packed = "output: {layout: packed}\n"
        path = written(f"version: 1\npasses: [{{pass: quantize, preset: W4A16}}]\n{packed}")
        ran = cli("spec", "validate", path, "--against", samples / "fracast-bf16")
        assert (ran.code, ran.err) == (0, "")

    def test_every_pattern_without_a_match(self, cli: Any, written: Written, weights: Path) -> None:
        path = written(QUANTIZE + '    match: ["*.mlp.*", "*.mpl.*"]\n    ignore: embed_token\n')
        ran = cli("spec", "validate", path, "--against", weights)
        assert (ran.code, ran.out) == (2, "")
        assert f"  {path}:5:24  passes[0].match[1]\n" in ran.err
        assert f"  {path}:6:5  passes[0].ignore\n" in ran.err
        assert "hint: nearest names: embed_tokens.weight — fix the pattern\n" in ran.err
        assert "--on-unmatched" not in ran.err

    def test_what_does_not_go_together(self, cli: Any, written: Written, weights: Path) -> None:
        path = written(
            "version: 1\npasses: [{pass: quantize, bits: 4}, {pass: quantize, bits: 8}]\n"
        )
        ran = cli("spec", "validate", path, "--against", weights)
        assert ran.code == 2
        assert "two passes quantize" in ran.err
        assert str(path) in ran.err

    def test_an_empty_selection_is_said(self, cli: Any, written: Written, weights: Path) -> None:
        path = written(QUANTIZE + "    where: {ndim: 7}\n")
        ran = cli("spec", "validate", path, "--against", weights)
        assert ran.code == 0
        assert "changes 0 of 5 tensors" in ran.out
        assert ran.err == f"note: {path}: no tensor is selected: the output is a copy\n"

    def test_unreadable_weights_are_said_once(
        self, cli: Any, written: Written, tmp_path: Path
    ) -> None:
        one, other = written(QUANTIZE), written(QUANTIZE, "b.yaml")
        ran = cli("spec", "validate", one, other, "--against", tmp_path / "none")
        assert (ran.code, ran.out) == (3, "")
        assert ran.err.count("error: ") == 1

    def test_weights_that_no_spec_is_for(
        self, cli: Any, written: Written, weights: Path, tmp_path: Path
    ) -> None:
        small = tmp_path / "packed.safetensors"
        assert cli("quantize", weights, "--bits", "4", "-o", small).code == 0
        path = written(QUANTIZE + "    match: '*.up_proj'\n")
        ran = cli("spec", "validate", path, "--against", small)
        assert ran.code == 3
        assert "already quantized" in ran.err

    def test_only_headers_are_read(self, cli: Any, written: Written, samples: Path) -> None:
        holes = written("", "holes.safetensors")
        shutil.copy(samples / "fracast.safetensors", holes)
        with holes.open("r+b") as file:
            length = int.from_bytes(file.read(8), "little")
            size = holes.stat().st_size
            file.seek(8 + length)
            file.write(b"\xff" * (size - 8 - length))  # NaN everywhere: a run would refuse it
        assert cli("spec", "validate", written(QUANTIZE), "--against", holes).code == 0


class TestShow:
    """``modelopt spec show``."""

    @pytest.mark.parametrize("name", VALID)
    def test_what_is_shown_means_the_same(self, cli: Any, written: Written, name: str) -> None:
        path = written(VALID[name])
        ran = cli("spec", "show", path)
        assert (ran.code, ran.err) == (0, "")
        assert loads(ran.out) == load(path)
        again = written(ran.out, "again.yaml")
        assert cli("spec", "show", again).out == ran.out
        assert json.loads(cli("spec", "show", path, "--json").out) == load(path).config()

    def test_one_spelling_and_no_defaults(self, cli: Any, written: Written) -> None:
        path = written(
            "version: 1\npasses:\n"
            "- {pass: prune, structure: '2:4', norm: L2, seed: 0}\n"
            "- {pass: quantize, preset: w4a16}\n"
        )
        assert cli("spec", "show", path).out == (
            "version: 1\npasses:\n"
            "  - pass: prune\n    structure: 2of4\n"
            "  - pass: quantize\n    preset: W4A16\n"
        )

    def test_a_bad_one(self, cli: Any, written: Written) -> None:
        ran = cli("spec", "show", written("version: 1\nname: [\n"))
        assert (ran.code, ran.out) == (2, "")


def test_schema(cli: Any) -> None:
    ran = cli("spec", "schema")
    assert (ran.code, ran.err) == (0, "")
    schema = json.loads(ran.out)
    assert schema == json_schema()
    Draft202012Validator.check_schema(schema)
    assert ran.out.isascii()
