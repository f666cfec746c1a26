"""``plan --measure``: the error that a run would report, and nothing written."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from compress_core.settings import Progress
from modelopt_cli.progress import Silent

PRESETS = ["W8A16", "W4A16", "W4A16_ASYM", "W2A16", "NF4", "NVFP4A16", "MXFP4A16", "FP8_DYNAMIC"]
FIGURES = ("totals", "quantized", "tensors", "files", "layout", "notes")
RULES = """\
version: 1
passes:
  - {pass: prune, structure: 2of4, match: ["*.up_proj*"]}
  - pass: quantize
    preset: W4A16
    rules:
      - {match: "*.down_proj*", bits: 8}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, apart from the one of the weights."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Two layers in two shards, an embedding that presets leave alone, and a norm."""
    rng = np.random.default_rng(23)
    found = tmp_path / "checkpoint"
    found.mkdir()
    weight_map: dict[str, str] = {}
    for layer in range(2):
        shard = f"model-{layer + 1:05d}-of-00002.safetensors"
        tensors = {
            f"model.layers.{layer}.mlp.{word}.weight": rng.standard_normal(shape)
            for word, shape in (("up_proj", (192, 128)), ("down_proj", (128, 256)))
        }
        extra = {"model.embed_tokens.weight": (300, 128), "model.norm.weight": (128,)}
        if layer == 0:
            tensors |= {name: rng.standard_normal(shape) for name, shape in extra.items()}
        narrow = {name: array.astype(ml_dtypes.bfloat16) for name, array in tensors.items()}
        save_file(narrow, found / shard, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, shard)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (found / "model.safetensors.index.json").write_text(json.dumps(index))
    (found / "config.json").write_text('{"model_type": "llama", "vocab_size": 300}')
    return found


def figures(report: Mapping[str, Any]) -> dict[str, Any]:
    """All that a run and a plan of it must agree on."""
    return {key: report[key] for key in FIGURES}


def test_the_comparison_is_what_runs_report(cli: Any, checkpoint: Path, folder: Path) -> None:
    asked = cli("plan", checkpoint, "--compare", ",".join(PRESETS), "--measure", "--json")
    assert asked.code == 0, asked.err
    assert list(folder.iterdir()) == []
    plans = json.loads(asked.out)["plans"]
    assert list(plans) == PRESETS
    for preset in PRESETS:
        ran = cli("quantize", checkpoint, "--preset", preset, "--json")
        assert ran.code == 0, ran.err
        done = json.loads(ran.out)
        assert figures(plans[preset]) == figures(done)
        assert plans[preset]["totals"]["error"] > 0
        assert plans[preset]["quantized"]["tensors"] == 4
        assert (plans[preset]["kind"], done["kind"]) == ("plan", "run")


def test_a_folder_with_rules_is_measured_as_it_would_be_written(
    cli: Any, checkpoint: Path, folder: Path
) -> None:
    (folder / "s.yaml").write_text(RULES)
    flags = ("--spec", "s.yaml", "--json")
    planned = cli("plan", checkpoint, *flags, "--measure", "-j", "3", "--max-memory", "150MiB")
    assert planned.code == 0, planned.err
    assert [path.name for path in folder.iterdir()] == ["s.yaml"]
    done = cli("compress", checkpoint, *flags, "-j", "1")
    assert done.code == 0, done.err
    assert figures(json.loads(planned.out)) == figures(json.loads(done.out))


@pytest.mark.parametrize(
    "passes",
    [
        ["prune threshold=1"],
        ["prune sparsity=0.5 scope=global"],
        ["prune sparsity=0.3 scope=global", "quantize preset=NF4"],
        ["quantize bits=3 group_size=tensor"],
    ],
)
def test_what_is_known_after_a_survey_is_measured_exactly(
    cli: Any, weights: Path, passes: list[str]
) -> None:
    flags = [word for text in passes for word in ("--pass", text)]
    planned = cli("plan", weights, *flags, "--measure", "--json")
    done = cli("compress", weights, *flags, "--json")
    assert (planned.code, done.code) == (0, 0)
    assert figures(json.loads(planned.out)) == figures(json.loads(done.out))
    assert json.loads(planned.out)["totals"]["bytes_out_is"] == "exact"


@pytest.mark.parametrize("preset", ["W4A16", "NF4", "W8A16"])
def test_the_gap_by_another_way(cli: Any, weights: Path, folder: Path, preset: str) -> None:
    """From the stored bytes, and from the weights that come back; the embedding stays dense."""
    flags = ("--ignore", "embed_tokens", "--json")
    planned = cli("plan", weights, "--compare", preset, "--measure", *flags)
    found = json.loads(planned.out)["plans"][preset]["quantized"]
    assert cli("quantize", weights, "--preset", preset, "-o", "small", *flags).code == 0
    assert cli("restore", "small", "-o", "dense").code == 0
    names = [name for name in load_file(weights) if "up_proj" in name]
    before, after = load_file(weights), load_file(folder / "dense")
    elements = sum(before[name].size for name in names)
    noise = sum(float(np.sum((before[name] - after[name]).astype(float) ** 2)) for name in names)
    signal = sum(float(np.sum(before[name].astype(float) ** 2)) for name in names)
    with safe_open(folder / "small", framework="np") as opened:
        parts = [part for part in opened.keys() if part.startswith(tuple(names))]  # noqa: SIM118
        stored = sum(opened.get_tensor(part).nbytes for part in parts)
    bits, sqnr = 8 * stored / elements, 10 * math.log10(signal / noise)
    assert (found["tensors"], found["elements"], found["bytes_out"]) == (2, elements, stored)
    assert found["bits_per_weight"] == bits
    assert found["sqnr_db"] == pytest.approx(sqnr, abs=1e-5)
    assert found["gap_db"] == pytest.approx(6.0206 * bits - sqnr, abs=1e-3)


def test_gaussian_weights_are_where_theory_has_them(cli: Any, tmp_path: Path) -> None:
    """One bit with the best scale: 4.396 dB (Max, 1960), so the gap is 6.021 − 4.396."""
    weights = tmp_path / "gaussian.safetensors"
    rng = np.random.default_rng(5)
    save_file({"w": rng.standard_normal((8, 2**17), dtype=np.float32)}, weights)
    ran = cli("plan", weights, "--pass", "quantize bits=1 center=none", "--measure", "--json")
    found = json.loads(ran.out)["quantized"]
    assert found["bits_per_weight"] == pytest.approx(1, abs=1e-3)
    assert found["gap_db"] == pytest.approx(6.0206 - 4.3963, abs=0.02)


def test_the_table_fits_a_terminal(cli: Any, checkpoint: Path) -> None:
    ran = cli("plan", checkpoint, "--compare", ",".join(PRESETS), "--measure")
    head, _, *rows = ran.out.splitlines()
    columns = ["Plan", "MiB out", "Ratio", "Bits", "Error", "SQNR dB", "Gap dB", "Layout"]
    assert re.split("  +", head.strip()) == columns
    assert [row.split()[0] for row in rows[: len(PRESETS)]] == PRESETS
    assert rows[len(PRESETS) :] == [
        "Bits a weight, error ‖W−Ŵ‖/‖W‖, SQNR: over all tensors, as a run reports them.",
        "Gap: 6.02 dB for each stored bit a weight less SQNR, of quantized tensors alone.",
    ]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_no_line_is_longer_than_the_terminal(
    cli: Any, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (["--compare", ",".join(PRESETS)], ["--pass", "quantize preset=W4A16"]):
        ran = cli("plan", checkpoint, *arguments, "--measure")
        assert ran.code == 0, ran.err
        assert max(map(len, ran.out.splitlines())) <= width
    found = cli("plan", checkpoint, "--compare", "FP8_DYNAMIC", "--measure").out
    assert ("Quantized dB" in found) == (width == 140)


def test_a_plan_of_one_pipeline_shows_errors_and_the_gap(cli: Any, weights: Path) -> None:
    ran = cli("plan", weights, "--pass", "quantize bits=4 group_size=32", "--measure")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0].endswith("Ratio   Error")
    assert "Exactly " in ran.out
    assert "Quantized tensors: 4.5" in ran.out
    assert "gap to the Gaussian line " in ran.out
    assert "Error: ‖W−Ŵ‖/‖W‖" in ran.out
    assert "Would write " in ran.out
    plain = cli("plan", weights, "--pass", "quantize bits=4 group_size=32")
    assert "Error" not in plain.out
    assert "gap" not in plain.out


def test_nothing_quantized_has_no_gap(cli: Any, weights: Path) -> None:
    for flags in (["--pass", "prune sparsity=0.5"], []):
        ran = cli("plan", weights, *flags, "--measure")
        assert ran.code == 0, ran.err
        assert "gap" not in ran.out
        found = json.loads(cli("plan", weights, *flags, "--measure", "--json").out)
        assert found["quantized"]["tensors"] == 0
        assert found["quantized"]["gap_db"] is None
    assert found["totals"]["error"] is None
    ran = cli("plan", weights, "--compare", "NF4", "--measure", "--match", "re:.*norm.*")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[2].split()[-4:] == ["—", "—", "—", "dense"]


def test_every_format_has_the_figures(cli: Any, weights: Path, folder: Path) -> None:
    flags = ["plan", weights, "--compare", "w4a16,nf4", "--measure"]
    reports = [word for suffix in ("json", "csv", "md") for word in ("--report", f"r.{suffix}")]
    assert cli(*flags, *reports).code == 0
    plans = json.loads((folder / "r.json").read_text())["plans"]
    rows = list(csv.DictReader(io.StringIO((folder / "r.csv").read_text())))
    assert [row["plan"] for row in rows] == list(plans) == ["W4A16", "NF4"]
    for row, plan in zip(rows, plans.values(), strict=True):
        for key in ("bytes_out", "bits_per_weight", "error", "sqnr_db", "max_abs", "zeros"):
            assert row[key] == str(plan["totals"][key])
        for key in ("tensors", "elements", "bytes_out", "bits_per_weight", "sqnr_db", "gap_db"):
            assert row[f"quantized_{key}"] == str(plan["quantized"][key])
    head = (folder / "r.md").read_text().splitlines()[0]
    assert head == (
        "| Plan | MiB in | MiB out | Ratio | Bits | Error | SQNR dB | Quantized bits "
        "| Quantized dB | Gap dB | Layout |"
    )
    again = cli(*flags, *reports)
    assert (again.code, "exists" in again.err) == (2, True)


def test_columns_of_csv_do_not_depend_on_what_was_read(cli: Any, weights: Path) -> None:
    flags = ("plan", weights, "--compare", "W4A16", "--format", "csv")
    plain, measured = cli(*flags).out.splitlines(), cli(*flags, "--measure").out.splitlines()
    assert plain[0] == measured[0]
    assert plain[1] != measured[1]


def test_progress_names_the_candidate(
    cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Progress] = []

    class Meter(Silent):
        def __call__(self, news: Progress) -> None:
            heard.append(news)

    monkeypatch.setattr("modelopt_cli.console.meter", lambda *_, **__: Meter())
    assert cli("plan", weights, "--compare", "NF4,NVFP4A16,nf4", "--measure").code == 0
    assert list(dict.fromkeys(news.stage for news in heard)) == [
        "NF4: measure",
        "NVFP4A16: survey",
        "NVFP4A16: measure",
    ]
    whole = sum(array.nbytes for array in load_file(weights).values())
    ends = [news for news in heard if news.done == news.total and "measure" in news.stage]
    assert [news.total for news in ends] == [whole] * 2, "each is measured once"


def test_what_cannot_be_done_is_said_before_data_are_read(
    cli: Any, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress_core.engine.Run.measure", lambda _: pytest.fail("was read"))
    flags = ("--layout", "compressed-tensors", "--measure")
    ran = cli("plan", weights, "--compare", "W8A16,NF4", *flags)
    assert ran.code == 2
    assert "hint: " in ran.err


GATES = """\
version: 1
passes: [{pass: quantize, bits: 4}]
gates:
  - {metric: error, max: %s}
  - {metric: zeros, max: 1}
  - {metric: size, max: 1 MiB}
"""


@pytest.mark.parametrize(("limit", "code"), [("0.5", 0), ("0.01", 1)])
def test_gates_on_errors_are_judged(
    cli: Any, weights: Path, folder: Path, limit: str, code: int
) -> None:
    (folder / "s.yaml").write_text(GATES % limit)
    left = cli("plan", weights, "--spec", "s.yaml")
    assert (left.code, "not judged by plan: error, zeros" in left.err) == (0, True)
    ran = cli("plan", weights, "--spec", "s.yaml", "--measure", "--json")
    assert ran.code == code, ran.err
    assert "not judged" not in ran.err
    check = json.loads(ran.out)["check"]
    assert [one["metric"] for one in check["gates"]] == ["error", "zeros", "size"]
    assert cli("compress", weights, "--spec", "s.yaml", "--gate-before-write").code == code
    assert [path.suffix for path in folder.iterdir() if path.name != "s.yaml"] == (
        [] if code else [".safetensors"]
    )


def test_a_tensor_that_is_not_finite_ends_it_or_is_kept(
    cli: Any, tmp_path: Path, folder: Path
) -> None:
    rng = np.random.default_rng(6)
    tensors = {name: rng.standard_normal((64, 128), dtype=np.float32) for name in "ab"}
    tensors["b"][3, 4] = np.nan
    save_file(tensors, tmp_path / "odd")
    flags = ("plan", tmp_path / "odd", "--compare", "NF4", "--measure")
    ran = cli(*flags)
    assert (ran.code, ran.out) == (3, "")
    assert "hint: pass --on-nonfinite keep" in ran.err
    kept = cli(*flags, "--on-nonfinite", "keep", "--json")
    assert kept.code == 0, kept.err
    found = json.loads(kept.out)["plans"]["NF4"]
    done = cli("quantize", tmp_path / "odd", "--preset", "NF4", "--on-nonfinite", "keep", "--json")
    assert figures(found) == figures(json.loads(done.out))
    assert found["quantized"]["tensors"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "W4A16", "--pass", "quantize bits=4"], "--compare takes the place of"),
        (["--compare", "W4A16,"], "unknown preset"),
        (["--compare", "FP8"], "needs scales of activations"),
        (["--measure=yes"], "--measure"),
        (["--max-memory", "1MiB", "--compare", "W4A16"], "too little"),
    ],
)
def test_mistakes_are_said_with_a_hint(
    cli: Any, weights: Path, folder: Path, arguments: list[str], message: str
) -> None:
    ran = cli("plan", weights, *arguments, "--measure")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert "hint: " in ran.err
    assert list(folder.iterdir()) == []
    if "--pass" in arguments:
        assert "hint: leave --compare out" in ran.err
