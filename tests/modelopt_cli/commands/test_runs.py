"""``prune``, ``quantize``, ``compress``, ``plan`` and ``restore``: one run, five ways to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, apart from the one of the weights."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["prune", "--sparsity", "0.5"], "small.pruned.safetensors"),
        (["quantize", "--bits", "4"], "small.int4.safetensors"),
        (["quantize", "--bits", "1"], "small.binary.safetensors"),
        (["quantize", "--preset", "w8a16"], "small.w8a16.safetensors"),
        (["compress", "--pass", "quantize bits=4"], "small.compressed.safetensors"),
    ],
)
def test_results_have_names_of_their_own(
    cli: Any, weights: Path, folder: Path, arguments: list[str], name: str
) -> None:
    before = weights.read_bytes()
    ran = cli(*arguments, weights)
    assert ran.code == 0, ran.err
    assert [path.name for path in folder.iterdir()] == [name]
    assert weights.read_bytes() == before
    assert ran.out.splitlines()[-1].startswith(f"Wrote {name} · layout packed")


def test_a_cast_is_plain_weights_named_after_their_dtype(
    cli: Any, weights: Path, folder: Path
) -> None:
    ran = cli("cast", weights, "--to", "fp16")
    assert ran.code == 0, ran.err
    assert "small.f16.safetensors · layout dense" in ran.out.splitlines()[-1]
    cast = load_file(folder / "small.f16.safetensors")
    floats = [name for name, array in load_file(weights).items() if array.dtype == np.float32]
    assert floats
    assert all(cast[name].dtype == np.float16 for name in floats)
    printed = cli("cast", weights, "--to", "bf16", "--lossless-only", "--print-spec").out
    assert "to: bf16" in printed
    assert "lossless_only: true" in printed
    refused = cli("cast", weights)
    assert refused.code == 2
    assert "hint: try --to bf16" in refused.err


def test_a_spec_s_name_names_the_result(cli: Any, weights: Path, folder: Path) -> None:
    spec = folder / "s.yaml"
    spec.write_text("version: 1\nname: edge\npasses: [{pass: quantize, bits: 8}]\n")
    assert cli("compress", weights, "--spec", spec).code == 0
    assert (folder / "small.edge.safetensors").exists()


def test_restore_is_the_way_back(cli: Any, weights: Path, folder: Path) -> None:
    assert cli("prune", weights, "--sparsity", "0.5").code == 0
    ran = cli("restore", "small.pruned.safetensors", "-o", "plain.safetensors")
    assert ran.code == 0, ran.err
    before, after = load_file(weights), load_file(folder / "plain.safetensors")
    assert before.keys() == after.keys()
    for name, values in after.items():
        assert values.dtype == before[name].dtype
        kept = values != 0
        np.testing.assert_array_equal(values[kept], before[name][kept])


def test_a_dry_run_is_a_plan(cli: Any, weights: Path, folder: Path) -> None:
    tried = cli("quantize", weights, "--bits", "4", "--dry-run")
    planned = cli("plan", weights, "--pass", "quantize bits=4", "-o", "small.int4.safetensors")
    assert tried.code == planned.code == 0
    assert tried.out == planned.out
    assert list(folder.iterdir()) == []


def test_a_plan_is_exact(cli: Any, weights: Path, folder: Path) -> None:
    planned = json.loads(cli("quantize", weights, "--bits", "3", "-n", "--json").out)
    done = json.loads(cli("quantize", weights, "--bits", "3", "--json").out)
    size = (folder / "small.int3.safetensors").stat().st_size
    assert planned["totals"]["bytes_out"] == done["totals"]["bytes_out"] == size


def test_an_upper_bound_is_marked_and_exact_resolves_it(cli: Any, weights: Path) -> None:
    loose = cli("plan", weights, "--pass", "prune threshold=1")
    tight = cli("plan", weights, "--pass", "prune threshold=1", "--exact")
    assert loose.code == tight.code == 0
    assert "≤" in loose.out
    assert "At most" in loose.out
    assert "≤" not in tight.out
    assert "Exactly" in tight.out


def test_presets_side_by_side(cli: Any, weights: Path) -> None:
    ran = cli("plan", weights, "--compare", "w8a16, W4A16", "--ignore", "embed_tokens")
    assert ran.code == 0, ran.err
    assert [line.split()[0] for line in ran.out.splitlines()[2:]] == ["W8A16", "W4A16"]
    found = json.loads(cli("plan", weights, "--compare", "w8a16,w4a16", "--json").out)
    assert found["schema"] == "modelopt.comparison/1"
    assert list(found["plans"]) == ["W8A16", "W4A16"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "W4A16", "--pass", "prune sparsity=1"], "--compare takes the place of"),
        (["--compare", "W44A16"], "unknown preset"),
    ],
)
def test_plans_that_cannot_be(cli: Any, weights: Path, arguments: list[str], message: str) -> None:
    ran = cli("plan", weights, *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_print_spec_is_the_same_run(cli: Any, weights: Path, folder: Path) -> None:
    flags = ["quantize", weights, "--bits", "4", "--ignore", "embed_tokens", "--layout", "packed"]
    printed = cli(*flags, "--print-spec")
    assert printed.code == 0
    assert list(folder.iterdir()) == []
    (folder / "s.yaml").write_text(printed.out)
    assert cli(*flags).code == 0
    assert cli("compress", weights, "--spec", "s.yaml", "-o", "b.safetensors").code == 0
    same = (folder / "small.int4.safetensors").read_bytes() == (
        folder / "b.safetensors"
    ).read_bytes()
    assert same


def test_pruning_without_a_byte_saved_is_said(cli: Any, weights: Path) -> None:
    ran = cli("prune", weights, "--sparsity", "0.5", "--layout", "dense")
    assert ran.code == 0, ran.err
    assert "Saves no bytes" in ran.out
    assert "Zeros %" in ran.out


def test_reports_beside_the_table(cli: Any, weights: Path, folder: Path) -> None:
    flags = ["--report", "r.json", "--report", "r.md"]
    ran = cli("quantize", weights, "--bits", "4", *flags)
    assert ran.code == 0, ran.err
    assert json.loads((folder / "r.json").read_text())["kind"] == "run"
    assert "| `embed_tokens` |" in (folder / "r.md").read_text()
    again = cli("quantize", weights, "--bits", "4", "-o", "b.safetensors", *flags)
    assert again.code == 2
    assert not (folder / "b.safetensors").exists()


def test_a_pattern_without_a_tensor_is_an_error(cli: Any, weights: Path) -> None:
    flags = ["quantize", weights, "--bits", "4", "--ignore", "embed_token"]
    ran = cli(*flags)
    assert ran.code == 2
    assert ran.err.splitlines()[:2] == [
        "error: ignore pattern matched no tensor: embed_token",
        "  --ignore",
    ]
    assert "embed_tokens" in ran.err
    assert cli(*flags, "--on-unmatched", "warn").code == 0


def test_a_preset_on_a_folder_takes_linear_layers(cli: Any, samples: Path, folder: Path) -> None:
    ran = cli("quantize", samples / "fracast-bf16", "--preset", "W4A16", "--json")
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert report["target"] == "fracast-bf16-w4a16"
    assert {one["role"] for one in report["tensors"] if one["to"] != "kept"} == {"linear"}
    assert (folder / "fracast-bf16-w4a16" / "config.json").exists()


def test_limits_change_no_byte(cli: Any, weights: Path, folder: Path) -> None:
    for name, flags in (("a", ["-j", "1"]), ("b", ["-j", "3", "--max-memory", "1GiB"])):
        output = f"{name}.safetensors"
        assert cli("quantize", weights, "--bits", "4", "-o", output, *flags).code == 0
    assert (folder / "a.safetensors").read_bytes() == (folder / "b.safetensors").read_bytes()


def test_quiet_is_quiet_on_stderr(cli: Any, weights: Path) -> None:
    ran = cli("quantize", weights, "--bits", "4", "-q")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out


@pytest.mark.parametrize("command", ["prune", "quantize"])
def test_each_asks_for_what_it_needs(cli: Any, weights: Path, command: str) -> None:
    ran = cli(command, weights)
    assert ran.code == 2
    assert ran.err.splitlines()[0].startswith(f"error: {command} needs")


def test_reports_that_a_spec_names_are_written_too(cli: Any, weights: Path, tmp_path: Path) -> None:
    spec = tmp_path / "s.yaml"
    named = tmp_path / "named.json"
    spec.write_text(f"version: 1\nreport: {named}\npasses: [{{pass: quantize, bits: 4}}]\n")
    by_flag, out = tmp_path / "flag.md", tmp_path / "out.safetensors"
    flags = ("--report", str(by_flag), "-o", str(out))
    assert cli("compress", str(weights), "--spec", str(spec), *flags).code == 0
    assert json.loads(named.read_text())["kind"] == "run"
    assert by_flag.read_text().startswith("|")
    assert str(named).encode() not in out.read_bytes(), "no path may change the bytes"


@pytest.mark.parametrize("flags", [("--norm", "l1"), ("--seed", "3")])
def test_an_option_that_would_do_nothing_is_refused(
    cli: Any, weights: Path, flags: tuple[str, ...]
) -> None:
    found = cli("prune", str(weights), "--sparsity", "0.5", *flags)
    assert found.code == 2
    assert f"drop {flags[0][2:]}" in found.err


@pytest.mark.parametrize("flags", [(), ("-n",), ("--force",)])
def test_a_spec_that_wants_to_resume_is_for_a_batch(
    cli: Any, weights: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    spec, out = tmp_path / "s.yaml", tmp_path / "out.safetensors"
    spec.write_text("version: 1\noutput: {on_exists: resume}\n")
    ran = cli("compress", weights, "--spec", spec, "-o", out, *flags)
    forced = flags == ("--force",)
    assert (ran.code, out.exists()) == ((0, True) if forced else (2, False))
    assert ("modelopt batch PATH --spec FILE -O DIR" in ran.err) == (not forced)
    planned = cli("plan", weights, "--spec", spec)
    assert planned.code == 0
    assert "note: on_exists: resume is what modelopt batch does" in planned.err


def test_limits_may_come_from_the_environment(
    cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELOPT_CLI_MAX_MEMORY", "1 MiB")
    found = cli("quantize", str(weights), "--bits", "4")
    assert (found.code, "too little" in found.err) == (2, True)
    monkeypatch.setenv("MODELOPT_CLI_MAX_MEMORY", "much")
    assert cli("quantize", str(weights), "--bits", "4").code == 2
