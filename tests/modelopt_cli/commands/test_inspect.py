"""``modelopt inspect``."""

from __future__ import annotations

import json
import shutil
import time
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
        "tied_to": None,
    }


def test_csv_and_markdown(cli: Any, weights: Path) -> None:
    table = cli("inspect", "--format", "csv", weights).out.splitlines()
    assert table[0] == "path,name,dtype,shape,form,bytes,role,error,tied_to"
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


# --stats


@pytest.fixture
def spread(tmp_path: Path) -> Path:
    """Values in steps, hidden precision, odd numbers, integers."""
    path = tmp_path / "spread.safetensors"
    steps = np.arange(16, dtype=np.float32).repeat(np.arange(1, 17)) + np.float32(0.1)
    tensors = {
        "steps": steps,
        "half": np.array([0.5, -0.25, 0, 0], np.float32),
        "odd": np.array([np.nan, np.inf, 0.1, 0.3], np.float32),
        "ids": np.arange(10),
    }
    save_file(tensors, path)
    return path


def test_statistics_of_values(cli: Any, spread: Path) -> None:
    ran = cli("inspect", "--stats", spread)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        " Tensors  n  Dtype  Fits          Min    Max  Zeros %  NaN, inf  Histogram",
        " ────────────────────────────────────────────────────────────────────────────────",
        " ids      1  I64    —               0      9     10.0         —  —",
        " half     1  F32    BF16, F16  -0.250  0.500     50.0         0  ▅▁▁▁▁█▁▁▁▁▁▁▁▁▁▅",
        " odd      1  F32    —           0.100  0.300      0.0         2  █▁▁▁▁▁▁▁▁▁▁▁▁▁▁█",
        " steps    1  F32    —           0.100   15.1      0.0         0  ▂▂▃▃▄▄▅▅▅▆▆▇▇███",
        " all      4                                       1.9         2",
    ]
    assert ran.err == (
        "note: 1 tensor has only values that a narrower dtype holds exactly:"
        " 8 B to save without loss\n"
    )


def test_wide_terminals_show_mean_and_deviation(
    cli: Any, spread: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert "  Mean    Std  " in cli("inspect", "--stats", spread).out


def test_statistics_as_json_have_every_number(cli: Any, spread: Path) -> None:
    (contents,) = json.loads(cli("inspect", "--stats", "--json", spread).out)["files"]
    assert contents["notes"][-1].endswith("8 B to save without loss")
    found = {tensor["name"]: tensor["stats"] for tensor in contents["tensors"]}
    assert found["half"] == {
        "min": -0.25,
        "max": 0.5,
        "mean": 0.0625,
        "std": np.std([0.5, -0.25, 0, 0]),
        "zeros": 2,
        "nan": 0,
        "infinite": 0,
        "histogram": [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        "fits": ["BF16", "F16"],
        "saves_bytes": 8,
    }
    assert (found["odd"]["nan"], found["odd"]["infinite"]) == (1, 1)
    assert (found["ids"]["max"], found["ids"]["mean"]) == (9, None)


def test_statistics_as_csv_are_flat(cli: Any, spread: Path) -> None:
    head, *lines = cli("inspect", "--stats", "--format", "csv", spread).out.splitlines()
    assert head.endswith(
        "role,error,tied_to,min,max,mean,std,zeros,nan,infinite,histogram,fits,saves_bytes"
    )
    assert len(lines) == 4
    assert cli("inspect", "--stats", "--format", "md", spread).out.startswith("| Tensors | n |")


def test_statistics_of_layers_are_those_of_all_their_elements(cli: Any, weights: Path) -> None:
    out = cli("inspect", "--stats", weights).out
    assert " layers.*.mlp.up_proj  2  F32" in out
    assert "▇" in out
    folded = next(line for line in out.splitlines() if "up_proj" in line)
    unfolded = cli("inspect", "--stats", "--per-tensor", weights).out
    lows = [line.split() for line in unfolded.splitlines() if "up_proj" in line]
    assert min(float(words[4]) for words in lows) == float(folded.split()[4])


def test_statistics_of_our_own_files_are_of_what_a_reader_gets(
    cli: Any, weights: Path, tmp_path: Path
) -> None:
    small, dense = tmp_path / "out.safetensors", tmp_path / "dense.safetensors"
    assert cli("prune", weights, "--sparsity", "0.5", "-o", small).code == 0
    assert cli("restore", small, "-o", dense).code == 0
    packed, plain = (
        json.loads(cli("inspect", "--stats", "--json", path).out)["files"][0]["tensors"]
        for path in (small, dense)
    )
    zeros = {tensor["name"]: tensor["stats"]["zeros"] for tensor in packed}
    assert zeros == {tensor["name"]: tensor["stats"]["zeros"] for tensor in plain}
    assert zeros["embed_tokens.weight"] == 64 * 48


def test_neither_threads_nor_memory_change_statistics(cli: Any, weights: Path) -> None:
    usual = cli("inspect", "--stats", "--json", weights).out
    assert cli("inspect", "--stats", "--json", "-j", "3", weights).out == usual
    assert cli("inspect", "--stats", "--json", "--max-memory", "80MiB", weights).out == usual


def test_limits_are_for_reading_data(cli: Any, weights: Path) -> None:
    ran = cli("inspect", "-j", "2", weights)
    assert ran.code == 2
    assert "--stats" in ran.err


def test_an_empty_file_has_no_statistics(cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "empty.safetensors"
    save_file({}, path)
    assert cli("inspect", "--stats", path).code == 0


def test_a_histogram_in_a_bare_environment(shell: Any, spread: Path) -> None:
    bare = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    ran = shell("inspect", "--stats", spread, environment=bare)
    assert ran.code == 0
    assert "..::--===++**###" in ran.out
    assert ran.out.isascii()


def test_five_thousand_tensors_take_little_time(cli: Any, tmp_path: Path) -> None:
    path = tmp_path / "many.safetensors"
    tensors = {f"layers.{layer}.w": np.arange(8, dtype=np.float32) for layer in range(5000)}
    save_file(tensors, path)
    begin = time.perf_counter()
    out = cli("inspect", "--stats", path).out
    assert time.perf_counter() - begin < 15
    assert len(out.splitlines()) == 4
