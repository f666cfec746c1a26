"""How many values a report says were cut off at the ends of their range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from compress_core import Report, Settings, compress, from_config, plan, restore
from tests.compress_core import gram_files


def run(tmp_path: Path, arrays: gram_files.Arrays, *steps: dict[str, Any], **more: Any) -> Report:
    source = gram_files.saved(tmp_path / "model.safetensors", arrays)
    gram = gram_files.saved(tmp_path / "g.safetensors", gram_files.grams(arrays))
    config = {"version": 1, "passes": list(steps), "gram": str(gram)}
    target = tmp_path / "small.safetensors"
    report = compress(source, target, from_config(config), Settings(replace=True, **more))
    restore(target, tmp_path / "dense.safetensors", Settings(replace=True))
    return report


def clipped(report: Report) -> dict[str, int | None]:
    return {one.name: one.clipped for one in report.tensors}


INT4 = {"pass": "quantize", "bits": 4, "scale_dtype": "f32"}
WAYS = pytest.mark.parametrize("refine", ["none", "gptq", "cd", "ste"])


@WAYS
def test_the_count_is_that_of_errors_beyond_half_a_step_at_the_ends(
    refine: str, tmp_path: Path
) -> None:
    arrays = gram_files.model()
    report = run(tmp_path, arrays, {**INT4, "refine": refine})
    found = load_file(tmp_path / "dense.safetensors")
    for name in ("up.weight", "down.weight"):
        before, after = arrays[name], found[name]
        # what a reader gets of a row are at most 16 numbers, a step apart
        numbers = [np.unique(row) for row in after]
        steps = np.array([np.diff(row).min() for row in numbers])[:, None]
        ends = np.array([(row[0], row[-1]) for row in numbers])
        out = np.maximum(ends[:, :1] - before, before - ends[:, 1:])
        wanted = int(np.count_nonzero(out > steps / 2 * (1 + 1e-5)))
        if refine == "none":
            assert clipped(report)[name] == wanted > 0
        else:  # the outermost number may be of no use to any weight
            assert 0 < (clipped(report)[name] or 0) <= wanted


def test_the_formula_cuts_nothing_off_and_binary_has_no_ends(tmp_path: Path) -> None:
    arrays = gram_files.model()
    plain = run(tmp_path, arrays, {**INT4, "scale_search": "none"})
    assert clipped(plain) == {"up.weight": 0, "down.weight": 0, "norm.weight": None}
    assert plain.quantized.clipped == 0
    binary = run(tmp_path, arrays, {"pass": "quantize", "bits": 1})
    assert set(clipped(binary).values()) == {None}
    assert binary.quantized.clipped is None


def test_pruned_elements_do_not_count_and_what_has_no_codes_has_no_count(tmp_path: Path) -> None:
    arrays = gram_files.model()
    prune = {"pass": "prune", "sparsity": 1.0}
    assert clipped(run(tmp_path, arrays, INT4, prune))["up.weight"] == 0
    assert clipped(run(tmp_path, arrays, {**prune, "sparsity": 0.5}))["up.weight"] is None


def test_neither_threads_nor_tiles_change_it(tmp_path: Path) -> None:
    arrays = gram_files.model(rows=5000, columns=40)
    counts = [
        clipped(run(tmp_path, arrays, INT4, jobs=jobs, max_memory=memory))
        for jobs, memory in ((1, 2**30), (4, 2**30), (1, 73 * 1024**2))
    ]
    assert counts[0] == counts[1] == counts[2]


def test_a_plan_that_measures_says_what_the_run_says(tmp_path: Path) -> None:
    arrays = gram_files.model()
    report = run(tmp_path, arrays, INT4)
    spec = from_config({"version": 1, "passes": [INT4]})
    measured = plan(tmp_path / "model.safetensors", spec, measure=True)
    assert clipped(measured) == clipped(report)
    assert set(clipped(plan(tmp_path / "model.safetensors", spec)).values()) == {None}
    own = report.quantized
    assert own.clipped == sum(one.clipped or 0 for one in report.tensors)
    assert own.to_json()["clipped"] == own.clipped
    assert [one["clipped"] for one in report.to_json()["tensors"]] == list(clipped(report).values())
