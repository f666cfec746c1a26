"""``modelopt diff``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file


@pytest.fixture
def changed(weights: Path, tmp_path: Path) -> Path:
    """The small file, with one layer moved, the norms gone and a head more."""
    tensors = load_file(weights)
    tensors["layers.1.mlp.up_proj.weight"][:48] = 0
    tensors = {name: array for name, array in tensors.items() if "norm" not in name}
    tensors["lm_head.weight"] = np.ones((4, 96), np.float32)
    path = tmp_path / "changed.safetensors"
    save_file(tensors, path)
    return path


def test_two_files(cli: Any, weights: Path, changed: Path) -> None:
    ran = cli("diff", weights, changed)
    assert (ran.code, ran.err) == (0, "")
    *table, sides, counts, meaning = ran.out.splitlines()
    assert table == [
        " Tensors               n  Change   Differ %  Error  max |Δ|",
        " ──────────────────────────────────────────────────────────",
        " layers.*.norm         2  removed         —      —        —",
        " layers.1.mlp.up_proj  1  values       50.0  0.705     3.77",
        " lm_head               1  added           —      —        —",
        " equal tensors         2  none          0.0      0        0",
        " all                   6               20.0  0.445     3.77",
    ]
    assert sides == f"A: {weights}, 121.18 KiB · B: {changed}, 121.84 KiB"
    assert counts == "1 changed, 1 added, 2 removed, 2 equal"
    assert meaning == "Error: ‖A−B‖/‖A‖ over all elements that were compared."


def test_layers_that_changed_alike_are_one_line(cli: Any, weights: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.safetensors"
    save_file({name: a.astype(np.float16) for name, a in load_file(weights).items()}, half)
    out = cli("diff", weights, half).out
    assert " layers.*.mlp.up_proj  2  F32 → F16 " in out
    assert "layers.0.mlp.up_proj" not in out
    assert "layers.0.mlp.up_proj.weight" in cli("diff", "--per-tensor", weights, half).out


def test_shapes_before_and_after(cli: Any, tmp_path: Path) -> None:
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({"embed": np.ones((4, 8), np.float32), "head": np.ones((4, 8), np.float32)}, a)
    save_file({"embed": np.ones((5, 8), np.float32), "head": np.ones((5, 8), np.float16)}, b)
    out = cli("diff", a, b).out
    assert "4×8 → 5×8" in out
    assert "F32 4×8 → F16 5×8" in out


@pytest.mark.parametrize("flags", [[], ["--exit-code"]])
def test_the_exit_code(cli: Any, weights: Path, changed: Path, flags: list[str]) -> None:
    assert cli("diff", weights, changed, *flags).code == len(flags)
    same = cli("diff", weights, weights, *flags)
    assert same.code == 0
    assert same.out.splitlines()[2:4] == [
        " equal tensors  5  none         0.0      0        0",
        " all            5               0.0      0        0",
    ]


def test_the_exit_code_with_every_way_to_be_quiet(cli: Any, weights: Path, changed: Path) -> None:
    for flags in (["-q"], ["--json"], ["--format", "csv"]):
        ran = cli("diff", weights, changed, "--exit-code", *flags)
        assert (ran.code, ran.err) == (1, "")


def test_a_compressed_file_is_as_far_away_as_its_report_says(
    cli: Any, weights: Path, tmp_path: Path
) -> None:
    small = tmp_path / "out.safetensors"
    made = json.loads(cli("quantize", weights, "--bits", "4", "-o", small, "--json").out)
    found = json.loads(cli("diff", weights, small, "--json").out)
    assert found["totals"]["error"] == made["totals"]["error"]
    errors = {one["name"]: one["error"] for one in made["tensors"] if one["error"] is not None}
    assert {
        one["name"]: one["error"] for one in found["tensors"] if one["name"] in errors
    } == errors


def test_only_some_tensors(cli: Any, weights: Path, changed: Path) -> None:
    ran = cli("diff", weights, changed, "--match", "*up_proj", "--ignore", "layers.0.*")
    assert "1 changed, 0 added, 0 removed, 0 equal" in ran.out
    assert cli("diff", weights, changed, "--match", "embed_tokens", "--exit-code").code == 0
    wrong = cli("diff", weights, changed, "--match", "*up_prj")
    assert wrong.code == 2
    assert "match pattern matched no tensor: *up_prj" in wrong.err
    assert cli("diff", weights, changed, "--match", "*x", "--on-unmatched", "ignore").code == 0


def test_every_format_and_report_files(
    cli: Any, weights: Path, changed: Path, tmp_path: Path
) -> None:
    reports = [tmp_path / f"r.{suffix}" for suffix in ("json", "md", "csv")]
    flags = [word for path in reports for word in ("--report", path)]
    assert cli("diff", weights, changed, *flags).code == 0
    for path, form in zip(reports, ("json", "md", "csv"), strict=True):
        assert path.read_text() == cli("diff", weights, changed, "--format", form).out
    assert json.loads(reports[0].read_text())["schema"] == "modelopt.diff/1"
    assert "| `layers.1.mlp.up_proj` | 1 | values | 50.0 |" in reports[1].read_text()
    assert reports[2].read_text().count("\n") == 7
    again = cli("diff", weights, changed, *flags)
    assert again.code == 2
    assert "the report already exists" in again.err
    assert cli("diff", weights, changed, *flags, "--force").code == 0


def test_what_the_table_has_no_place_for(cli: Any, tmp_path: Path) -> None:
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(
        {"zero": np.zeros(4, np.float32), "odd": np.ones(4, np.float32)},
        a,
        metadata={"format": "pt", "step": "1", "gone": ""},
    )
    save_file(
        {"zero": -np.zeros(4, np.float32), "odd": np.full(4, np.nan, np.float32)},
        b,
        metadata={"format": "pt", "step": "2", "new\x1b[2J": ""},
    )
    ran = cli("diff", a, b)
    assert ran.err.splitlines() == [
        "note: metadata only in A: gone",
        r"note: metadata only in B: new\x1b[2J",
        "note: metadata with another value: step",
        "note: equal in value, though not in every bit: zero",
        "note: in no error, since NaN or infinity stands against another value: odd",
    ]
    assert cli("diff", "-q", a, b).err == ""


def test_long_lists_of_names_are_cut(cli: Any, tmp_path: Path) -> None:
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file({f"w{index}": np.zeros(4, np.float32) for index in range(9)}, a)
    save_file({f"w{index}": -np.zeros(4, np.float32) for index in range(9)}, b)
    assert cli("diff", a, b).err == (
        "note: equal in value, though not in every bit: w0, w1, w2, w3, w4 and 4 more\n"
    )


def test_folders(cli: Any, samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(samples / "fracast-bf16", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "other", "added": 1}))
    ran = cli("diff", samples / "fracast-bf16", folder, "--exit-code")
    assert ran.code == 1
    assert "note: config.json only in B: " in ran.err
    assert "0 changed, 0 added, 0 removed, 47 equal" in ran.out


def test_few_is_never_shown_as_none_nor_most_as_all(cli: Any, tmp_path: Path) -> None:
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    before = np.ones(10_000, np.float32)
    few, most = before.copy(), before * 2
    few[5], most[5] = 7, 1
    save_file({"few": before, "most": before}, a)
    save_file({"few": few, "most": most}, b)
    out = cli("diff", a, b).out
    assert "<0.1" in out
    assert ">99.9" in out


def test_two_paths_are_needed_and_both_must_be_readable(
    cli: Any, weights: Path, tmp_path: Path
) -> None:
    assert cli("diff", weights).code == 2
    ran = cli("diff", weights, tmp_path / "none.safetensors")
    assert ran.code == 3
    assert "no such file" in ran.err
    assert ran.out == ""


def test_five_thousand_tensors(cli: Any, tmp_path: Path) -> None:
    a, b = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    tensors = {f"layers.{layer}.w": np.full(8, layer, np.float32) for layer in range(5000)}
    save_file(tensors, a)
    save_file({name: array + 1 for name, array in tensors.items()}, b)
    assert len(cli("diff", a, b).out.splitlines()) == 7
    assert len(cli("diff", "--per-tensor", a, b).out.splitlines()) == 5006


def test_a_bare_environment(shell: Any, weights: Path, changed: Path) -> None:
    bare = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "COLUMNS": "20"}
    ran = shell("diff", weights, changed, environment=bare)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.isascii()
    assert "\\u" not in ran.out
