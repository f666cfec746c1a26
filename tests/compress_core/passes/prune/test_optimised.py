"""Methods that go by Gram matrices, as a pass: what they refuse, keep and promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from compress_core import Report, Settings, compress, from_config, plan, restore
from compress_core.errors import UsageError
from compress_core.passes.prune import _BY_OUTPUT, Prune
from tests.compress_core import gram_files

METHODS = sorted(_BY_OUTPUT)
each = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return gram_files.saved(tmp_path / "model.safetensors", gram_files.model())


@pytest.fixture
def gram(tmp_path: Path) -> Path:
    return gram_files.saved(tmp_path / "g.safetensors", gram_files.grams(gram_files.model()))


def run(
    source: Path, gram: Path | None, *passes: dict[str, Any], **settings: Any
) -> tuple[Report, dict[str, Any]]:
    config = {"version": 1, "passes": list(passes), **({"gram": str(gram)} if gram else {})}
    small, dense = source.with_name("small.safetensors"), source.with_name("dense.safetensors")
    report = compress(source, small, from_config(config), Settings(replace=True, **settings))
    restore(small, dense, Settings(replace=True))
    return report, load_file(dense)


def pruned(method: str, **more: Any) -> dict[str, Any]:
    return {"pass": "prune", "method": method, **({} if "structure" in more else HALF), **more}


HALF = {"sparsity": 0.5}


@each
@pytest.mark.parametrize("more", [{}, {"structure": "2of4"}], ids=["half", "2of4"])
def test_it_loses_less_of_what_the_layers_give_than_magnitude(
    method: str, more: dict[str, Any], source: Path, gram: Path
) -> None:
    plain, _ = run(source, gram, pruned("magnitude", **more))
    report, restored = run(source, gram, pruned(method, **more))
    assert report.totals.zeros == plain.totals.zeros
    assert report.totals.outputs is not None
    assert plain.totals.outputs is not None
    assert plain.totals.outputs.held_out is not None
    assert report.totals.outputs.held_out is not None
    assert report.totals.outputs.in_sample.error < 0.95 * plain.totals.outputs.in_sample.error
    assert report.totals.outputs.held_out.error < 0.95 * plain.totals.outputs.held_out.error
    assert np.count_nonzero(restored["up.weight"]) == 300 * 24


def test_the_output_error_is_that_of_the_restored_weights(source: Path, gram: Path) -> None:
    report, restored = run(source, gram, pruned("admm"))
    weights, grams = load_file(source), load_file(gram)
    for tensor in (one for one in report.tensors if one.outputs):
        before = weights[tensor.name].astype(np.float64)
        gap = before - restored[tensor.name]
        assert tensor.outputs is not None
        found = {"": tensor.outputs.in_sample, "held_out.": tensor.outputs.held_out}
        for sample, one in found.items():
            moment = grams[f"{tensor.name.removesuffix('weight')}{sample}gram"].astype(np.float64)
            wanted = np.sqrt(np.sum((gap @ moment) * gap) / np.sum((before @ moment) * before))
            assert one is not None
            assert one.error == pytest.approx(wanted, rel=1e-9)


@each
@pytest.mark.parametrize("more", [{}, {"structure": "2of4"}], ids=["half", "2of4"])
def test_without_a_matrix_it_is_magnitude_bit_for_bit_and_says_so(
    method: str, more: dict[str, Any], source: Path
) -> None:
    _, plain = run(source, None, pruned("magnitude", **more))
    report, restored = run(source, None, pruned(method, **more))
    for name, tensor in plain.items():
        np.testing.assert_array_equal(restored[name].view(np.uint32), tensor.view(np.uint32))
    said = f"no Gram matrix of down.weight and 1 more: method {method} is magnitude there"
    assert said in report.notes
    assert report.totals.outputs is None


def test_a_tensor_without_a_matrix_is_named_and_pruned_by_magnitude(
    source: Path, tmp_path: Path
) -> None:
    arrays = gram_files.grams(gram_files.model())
    some = {name: one for name, one in arrays.items() if name.startswith("up")}
    gram = gram_files.saved(tmp_path / "some.safetensors", some)
    _, plain = run(source, None, pruned("magnitude"))
    report, restored = run(source, gram, pruned("admm"))
    np.testing.assert_array_equal(restored["down.weight"], plain["down.weight"])
    assert (restored["up.weight"] != plain["up.weight"]).any()
    assert "no Gram matrix of down.weight: method admm is magnitude there" in report.notes
    by_name = {tensor.name: tensor for tensor in report.tensors}
    assert by_name["down.weight"].outputs is None
    assert by_name["up.weight"].outputs is not None


@each
def test_what_was_pruned_before_stays_so(method: str, source: Path, gram: Path) -> None:
    first = {"pass": "prune", "structure": "column", "sparsity": 0.25}
    _, before = run(source, None, first)
    _, after = run(source, gram, first, pruned(method))
    for name in ("up.weight", "down.weight"):
        assert not after[name][before[name] == 0].any()
        assert (np.mean(after[name] == 0, axis=1) == 0.5).all()


def test_weights_with_codes_keep_them(source: Path, gram: Path) -> None:
    coded = {"pass": "quantize", "bits": 4}
    _, before = run(source, None, coded)
    _, after = run(source, gram, coded, pruned("admm"))
    kept = after["up.weight"] != 0
    np.testing.assert_array_equal(after["up.weight"][kept], before["up.weight"][kept])


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_dtypes_are_pruned_in_float32(
    dtype: type, source: Path, gram: Path, tmp_path: Path
) -> None:
    arrays: gram_files.Arrays = {
        name: one.astype(dtype) for name, one in gram_files.model().items()
    }
    other = gram_files.saved(tmp_path / "other.safetensors", arrays)
    report, restored = run(other, gram, pruned("admm"))
    assert restored["up.weight"].dtype == dtype
    assert report.totals.outputs is not None
    assert report.totals.outputs.in_sample.error < 0.5


def test_damping_matters(source: Path, gram: Path) -> None:
    errors = []
    for damping in (0.1, 10):
        report, _ = run(source, gram, pruned("admm", damping=damping))
        assert report.totals.outputs is not None
        errors.append(report.totals.outputs.in_sample.error)
    assert errors[0] < 0.9 * errors[1]


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"method": "admm", "threshold": 0.1}, "threshold"),
        ({"method": "l1", "sparsity": 0.5, "structure": "column"}, "structure"),
        ({"method": "wanda", "sparsity": 0.5, "damping": 0.1}, "damping"),
        ({"method": "l2", "sparsity": 0.5, "structure": "4x4"}, "structure"),
        ({"method": "wanda", "sparsity": 0.5, "scope": "global"}, "scope"),
        ({"method": "dynamic", "sparsity": 0.5, "scope": "tensor"}, "scope"),
        ({"method": "magnitude", "sparsity": 0.5, "damping": 0.1}, "damping"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_way_out(config: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        Prune.from_config(config)
    assert caught.value.where == where
    assert caught.value.hint


def test_the_plan_counts_the_memory_of_the_matrices(source: Path, gram: Path) -> None:
    without = plan(source, from_config({"version": 1, "passes": [pruned("admm")]}))
    given = from_config({"version": 1, "passes": [pruned("admm")], "gram": str(gram)})
    found = plan(source, given)
    assert found.peak_bytes is not None
    assert without.peak_bytes is not None
    assert found.peak_bytes - without.peak_bytes >= 5 * 4 * 48**2
    assert found.totals.bytes_out == without.totals.bytes_out
