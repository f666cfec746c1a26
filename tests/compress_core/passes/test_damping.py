"""Damping that is chosen by inputs which nothing is fitted to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from compress_core import Report, Settings, compress, from_config
from compress_core.errors import UsageError
from compress_core.passes._damping import TRIED
from tests.compress_core import gram_files

STEPS: tuple[dict[str, Any], ...] = (
    {"pass": "prune", "sparsity": 0.5, "method": "admm"},
    {"pass": "prune", "structure": "2of4", "method": "sparsegpt"},
    {"pass": "quantize", "bits": 3, "refine": "gptq"},
    {"pass": "quantize", "bits": 3, "group_size": "tensor", "refine": "cd"},
)
each = pytest.mark.parametrize("step", STEPS, ids=lambda step: step.get("method", step.get("bits")))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return gram_files.saved(tmp_path / "model.safetensors", gram_files.model())


@pytest.fixture
def gram(tmp_path: Path) -> Path:
    return gram_files.saved(tmp_path / "g.safetensors", gram_files.grams(gram_files.model()))


def run(source: Path, gram: Path | None, *steps: dict[str, Any]) -> Report:
    config = {"version": 1, "passes": list(steps), **({"gram": str(gram)} if gram else {})}
    target = source.with_name("out.safetensors")
    return compress(source, target, from_config(config), Settings(replace=True))


def held_out(report: Report) -> dict[str, float]:
    """Tensor → the held-out error of what it gives."""
    return {
        one.name: one.outputs.held_out.error
        for one in report.tensors
        if one.outputs is not None and one.outputs.held_out is not None
    }


@each
def test_each_tensor_gets_the_best_of_what_was_tried(
    step: dict[str, Any], source: Path, gram: Path
) -> None:
    every = [held_out(run(source, gram, {**step, "damping": damping})) for damping in TRIED]
    found = run(source, gram, {**step, "damping": "auto"})
    best = {name: min(one[name] for one in every) for name in every[0]}
    assert held_out(found) == best
    assert len(best) == 2
    for name, least in best.items():
        damping = next(d for d, one in zip(TRIED, every, strict=True) if one[name] == least)
        (told,) = [note for note in found.notes if f"damping auto is {damping:g}:" in note]
        assert name in told or "and 1 more" in told


def test_it_is_judged_by_what_earlier_passes_left(source: Path, gram: Path) -> None:
    first = {"pass": "prune", "sparsity": 0.5, "method": "wanda"}
    second = {"pass": "quantize", "bits": 3, "refine": "gptq"}
    every = [held_out(run(source, gram, first, {**second, "damping": one})) for one in TRIED]
    found = held_out(run(source, gram, first, {**second, "damping": "auto"}))
    assert found == {name: min(one[name] for one in every) for name in found}


def test_without_held_out_inputs_it_is_refused_before_data_are_read(
    source: Path, tmp_path: Path
) -> None:
    arrays = gram_files.grams(gram_files.model(), held_out=False)
    gram = gram_files.saved(tmp_path / "g.safetensors", arrays)
    with pytest.raises(UsageError, match="no held-out Gram matrix") as caught:
        run(source, gram, {**STEPS[0], "damping": "auto"})
    assert caught.value.where == "passes[0].damping"
    assert "held_out.gram" in str(caught.value.hint)


@each
def test_without_any_matrix_it_is_what_it_is_with_any_damping(
    step: dict[str, Any], source: Path
) -> None:
    out = source.with_name("out.safetensors")
    run(source, None, {**step, "damping": "auto"})
    auto = load_file(out)
    run(source, None, {**step, "damping": 0.1})
    assert {name: one.tobytes() for name, one in auto.items()} == {
        name: one.tobytes() for name, one in load_file(out).items()
    }
