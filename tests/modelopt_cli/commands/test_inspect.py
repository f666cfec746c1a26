"""``modelopt inspect``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file


def test_a_file(cli: Any, weights: Path) -> None:
    ran = cli("inspect", weights)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        " Tensors               n  Dtype  Shape   Stored as   MiB  Role",
        " ──────────────────────────────────────────────────────────────────",
        " embed_tokens          1  F32    64×96   plain      0.02  embedding",
        " layers.*.mlp.up_proj  2  F32    96×128  plain      0.09  linear",
        " layers.*.norm         2  F32    96      plain      0.00  other",
        " all                   5                            0.12",
    ]


def test_json(cli: Any, weights: Path) -> None:
    found = json.loads(cli("inspect", "--json", weights).out)
    assert found["schema"] == "modelopt.inspect/1"
    (contents,) = found["files"]
    assert contents["bytes"] == weights.stat().st_size
    assert contents["tensors"][0] == {
        "name": "embed_tokens.weight",
        "dtype": "F32",
        "shape": [64, 96],
        "form": None,
        "bytes": 64 * 96 * 4,
        "role": "embedding",
        "error": None,
    }


def test_csv_and_markdown(cli: Any, weights: Path) -> None:
    table = cli("inspect", "--format", "csv", weights).out.splitlines()
    assert table[0] == "path,name,dtype,shape,form,bytes,role,error"
    assert len(table) == 6
    assert cli("inspect", "--format", "md", weights).out.startswith("| Tensors | n | Dtype |")


def test_per_tensor(cli: Any, weights: Path) -> None:
    assert "layers.1.mlp.up_proj.weight" in cli("inspect", "--per-tensor", weights).out


def test_our_own_files_say_what_tensors_have_become(
    cli: Any, weights: Path, tmp_path: Path
) -> None:
    small = tmp_path / "out.safetensors"
    assert cli("quantize", weights, "--bits", "4", "--group-size", "32", "-o", small).code == 0
    ran = cli("inspect", small)
    assert ran.code == 0
    assert "int4 g32" in ran.out
    assert "Compressed already: modelopt packed" in ran.out
    tensors = json.loads(cli("inspect", "--json", small).out)["files"][0]["tensors"]
    assert sum(tensor["bytes"] for tensor in tensors) < small.stat().st_size
    assert {tensor["name"] for tensor in tensors} == {
        tensor["name"]
        for tensor in json.loads(cli("inspect", "--json", weights).out)["files"][0]["tensors"]
    }


def test_bad_ones_are_named_and_the_others_shown(cli: Any, weights: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(b"x")
    ran = cli("inspect", bad, weights, tmp_path / "none.safetensors")
    assert ran.code == 3
    assert "embed_tokens" in ran.out
    assert ran.err.count("error: ") == 2
    assert "bad.safetensors" in ran.err
    assert "none.safetensors" in ran.err


def test_several_files_have_titles(cli: Any, weights: Path) -> None:
    lines = cli("inspect", weights, weights).out.splitlines()
    assert lines.count(str(weights)) == 2


def test_names_cannot_drive_the_terminal(cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "names.safetensors"
    save_file({"\x1b[2J\x07": np.ones(1), "[red]x[/]": np.ones(1), "a\nb": np.ones(1)}, path)
    for form in ("table", "csv", "md", "json"):
        out = cli("inspect", "--format", form, path).out
        assert "\x1b" not in out
        assert "\x07" not in out
    assert "[red]x[/]" in cli("inspect", path).out


def test_metadata_and_notes(cli: Any, samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(samples / "fracast-bf16", folder)
    index = folder / "model.safetensors.index.json"
    said = json.loads(index.read_text())
    said["metadata"] = {"total_size": 1}
    index.write_text(json.dumps(said))
    ran = cli("inspect", folder)
    assert ran.code == 0
    assert "Metadata: format" in ran.out
    assert ran.err.startswith("note: ")
    assert "note" not in cli("inspect", "-q", folder).err


def test_a_path_is_needed(cli: Any) -> None:
    assert cli("inspect").err.startswith("error: missing argument")


@pytest.mark.parametrize("locale", [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}])
def test_a_bare_environment(shell: Any, weights: Path, locale: dict[str, str]) -> None:
    bare = {**locale, "TERM": "dumb", "COLUMNS": "20"}
    ran = shell("inspect", weights, environment=bare)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.isascii()
    assert "96x128" in ran.out
