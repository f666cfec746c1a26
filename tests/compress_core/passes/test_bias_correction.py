"""The pass that moves biases: what it adds, where it leaves one alone, and what is said of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from compress_core import Report, Settings, compress, from_config, plan, restore
from compress_core.errors import FormatError, UsageError
from compress_core.passes.bias_correction import BiasCorrection
from tests.compress_core import gram_files
from tests.compress_core.gram_files import Arrays

BITS2 = {"pass": "quantize", "bits": 2}
CORRECTION = {"pass": "bias-correction"}
ROWS, COLUMNS = 300, 48


def model() -> Arrays:
    """A layer whose inputs are not centred, one without a bias, and a norm."""
    random = np.random.default_rng(8)
    return {
        "norm.weight": np.ones(COLUMNS, np.float32),
        "norm.bias": np.zeros(COLUMNS, np.float32),
        "up.bias": random.standard_normal(ROWS).astype(np.float32),
        "up.weight": random.standard_normal((ROWS, COLUMNS)).astype(np.float32),
        "down.weight": random.standard_normal((8, 32)).astype(np.float32),
    }


def moments(seed: int) -> Arrays:
    """What inputs have that are far from zero in the mean, as behind a ReLU."""
    inputs = np.abs(np.random.default_rng(seed).standard_normal((500, COLUMNS)))
    gram, mean = inputs.T @ inputs / len(inputs), inputs.mean(axis=0)
    return {"gram": gram.astype(np.float32), "mean": mean.astype(np.float32)}


class Case:
    """A model and the moments of what its layers get, in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrays = model()
        self.grams = gram_files.grams({"down.weight": model()["down.weight"]})
        for seed, sample in enumerate(("", "held_out.")):
            self.grams |= {f"up.{sample}{part}": one for part, one in moments(seed).items()}

    def save(self) -> None:
        save_file(self.arrays, self.folder / "m.safetensors")
        save_file(self.grams, self.folder / "g.safetensors")

    def spec(self, *steps: dict[str, Any], layout: str = "dense") -> dict[str, Any]:
        gram = str(self.folder / "g.safetensors")
        return {"version": 1, "passes": steps, "gram": gram, "output": {"layout": layout}}

    def run(self, *steps: dict[str, Any], **options: Any) -> tuple[Report, Arrays]:
        self.save()
        target, dense = self.folder / "o.safetensors", self.folder / "d.safetensors"
        spec = from_config(self.spec(*steps, **options))
        report = compress(self.folder / "m.safetensors", target, spec, Settings(replace=True))
        restore(target, dense, Settings(replace=True))
        return report, load_file(dense)

    def loss(self, after: Arrays, sample: str, name: str = "up") -> float:
        """E‖(W−Ŵ)x + b − b̂‖² by the moments, over E‖Wx‖²."""
        weight, bias = self.arrays[f"{name}.weight"], self.arrays[f"{name}.bias"]
        gap, change = wide(weight) - wide(after[f"{name}.weight"]), wide(bias)
        change = change - wide(after[f"{name}.bias"])
        gram, mean = (wide(self.grams[f"{name}.{sample}{part}"]) for part in ("gram", "mean"))
        error = np.trace(gap @ gram @ gap.T) + 2 * change @ gap @ mean + change @ change
        return float(np.sqrt(error / np.trace(wide(weight) @ gram @ wide(weight).T)))


def wide(array: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(array, np.float64)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


@pytest.mark.parametrize("layout", ["dense", "packed"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
def test_a_bias_gets_what_the_mean_of_the_outputs_has_lost(
    dtype: Any, layout: str, case: Case
) -> None:
    case.arrays["up.bias"] = case.arrays["up.bias"].astype(dtype)
    report, after = case.run(BITS2, CORRECTION, layout=layout)
    lost = wide(case.arrays["up.weight"]) - after["up.weight"]
    wanted = wide(case.arrays["up.bias"]) + lost @ wide(case.grams["up.mean"])
    assert after["up.bias"].dtype == dtype
    np.testing.assert_array_equal(after["up.bias"], wanted.astype(np.float32).astype(dtype))
    assert {one.name: one.to for one in report.tensors}["up.bias"] == "changed"


def test_the_errors_of_outputs_count_the_bias(case: Case) -> None:
    plain, _ = case.run(BITS2)
    report, after = case.run(BITS2, CORRECTION)
    for before, found in zip(plain.tensors, report.tensors, strict=True):
        if found.name == "up.weight":
            assert before.outputs is not None
            assert found.outputs is not None
            assert found.outputs.in_sample.error == pytest.approx(case.loss(after, ""), rel=1e-6)
            assert found.outputs.held_out is not None
            assert before.outputs.held_out is not None
            held_out = case.loss(after, "held_out.")
            assert found.outputs.held_out.error == pytest.approx(held_out, rel=1e-6)
            assert found.outputs.held_out.error < before.outputs.held_out.error
        elif found.name != "up.bias":
            assert before == found
    spec = from_config(case.spec(BITS2, CORRECTION))
    measured = plan(case.folder / "m.safetensors", spec, measure=True)
    assert (measured.tensors, measured.totals) == (report.tensors, report.totals)


def _turn_held_out(case: Case) -> None:
    """Held-out inputs whose mean is on the other side."""
    case.grams["up.held_out.mean"] = -case.grams["up.held_out.mean"]


def test_it_is_left_where_held_out_inputs_are_not_served(case: Case) -> None:
    _turn_held_out(case)
    report, after = case.run(BITS2, CORRECTION)
    np.testing.assert_array_equal(after["up.bias"], case.arrays["up.bias"])
    found = {one.name: one for one in report.tensors}["up.bias"]
    said = "correcting it does not lower the error of what its layer gives"
    assert (found.to, found.kept_because) == ("kept", said)
    assert f"bias-correction: {said}: up.bias" in report.notes
    assert found.measured is not None
    assert found.measured.error == 0


def test_unless_it_is_asked_for_always(case: Case) -> None:
    _turn_held_out(case)
    report, after = case.run(BITS2, {**CORRECTION, "always": True})
    assert not np.array_equal(after["up.bias"], case.arrays["up.bias"])
    (found,) = (one.outputs for one in report.tensors if one.name == "up.weight")
    assert found is not None
    assert found.held_out is not None
    assert found.held_out.error == pytest.approx(case.loss(after, "held_out."), rel=1e-6)


def test_without_held_out_inputs_it_is_judged_by_the_others_which_is_said(case: Case) -> None:
    for name in [name for name in case.grams if ".held_out." in name]:
        del case.grams[name]
    report, after = case.run(BITS2, CORRECTION)
    assert not np.array_equal(after["up.bias"], case.arrays["up.bias"])
    assert "bias-correction: judged by the inputs that it is fitted to: up.bias" in report.notes


def test_an_error_that_a_missing_mean_leaves_unknown_is_not_told(case: Case) -> None:
    del case.grams["up.held_out.mean"]
    report, _ = case.run(BITS2, CORRECTION)
    (found,) = (one.outputs for one in report.tensors if one.name == "up.weight")
    assert found is not None
    assert found.held_out is None


def test_what_has_nothing_to_go_by_is_left_alone_and_said(case: Case) -> None:
    case.arrays["alone.bias"] = np.ones(4, np.float32)
    case.arrays["odd.weight"], case.arrays["odd.bias"] = np.ones((6, 48), "f4"), np.ones(5, "f4")
    case.arrays["dim.weight"], case.arrays["dim.bias"] = np.eye(48, dtype="f4"), np.ones(48, "f4")
    report, after = case.run(BITS2, CORRECTION)
    for name in ("alone", "odd", "norm", "dim"):
        np.testing.assert_array_equal(after[f"{name}.bias"], case.arrays[f"{name}.bias"])
    begin = "bias-correction leaves"
    assert f"{begin} alone.bias alone: there is no weight beside it" in report.notes
    misfit = "it has not one element for each row of the weight beside it"
    assert f"{begin} norm.bias and 1 more alone: {misfit}" in report.notes
    assert f"{begin} dim.bias alone: no Gram file has the mean of what its layer gets" in (
        report.notes
    )
    assert "bias-correction: there is no bias beside down.weight" in report.notes


def test_a_weight_that_stays_needs_no_correction(case: Case) -> None:
    report, after = case.run({**BITS2, "match": ["down"]}, CORRECTION)
    np.testing.assert_array_equal(after["up.bias"], case.arrays["up.bias"])
    said = "bias-correction leaves up.bias alone: no earlier pass changes the weight beside it"
    assert said in report.notes


def test_a_bias_that_is_not_finite_stays(case: Case) -> None:
    case.arrays["up.bias"][3] = np.nan
    report, after = case.run(BITS2, CORRECTION)
    np.testing.assert_array_equal(after["up.bias"], case.arrays["up.bias"])
    (found,) = (one.outputs for one in report.tensors if one.name == "up.weight")
    assert found is not None
    assert np.isfinite(found.in_sample.error)


def test_pruned_elements_of_a_bias_stay_zero(case: Case) -> None:
    both = {"pass": "prune", "sparsity": 0.5, "where": {"min_ndim": 1}, "match": ["up"]}
    report, after = case.run(both, CORRECTION, layout="packed")
    assert np.count_nonzero(after["up.bias"] == 0) == ROWS // 2
    (found,) = (one.outputs for one in report.tensors if one.name == "up.weight")
    assert found is not None
    assert found.in_sample.error == pytest.approx(case.loss(after, ""), rel=1e-6)


def test_a_cast_before_it_is_part_of_what_it_judges(case: Case) -> None:
    report, after = case.run({"pass": "cast", "to": "bf16"}, BITS2, CORRECTION)
    assert after["up.bias"].dtype == ml_dtypes.bfloat16
    (found,) = (one.outputs for one in report.tensors if one.name == "up.weight")
    assert found is not None
    assert found.in_sample.error == pytest.approx(case.loss(after, ""), rel=1e-6)


def test_no_later_pass_may_change_what_it_went_by(case: Case) -> None:
    case.save()
    steps = ({"pass": "prune", "sparsity": 0.5}, CORRECTION, BITS2)
    with pytest.raises(UsageError, match=r"passes\[2\] changes up.weight, which up.bias") as caught:
        plan(case.folder / "m.safetensors", from_config(case.spec(*steps)))
    assert (caught.value.where, caught.value.hint) == (
        "passes[1]",
        "put bias-correction behind it",
    )


def test_codes_of_a_bias_are_not_undone(case: Case) -> None:
    case.save()
    steps = ({**BITS2, "where": {"min_ndim": 1}, "match": ["up"]}, CORRECTION)
    with pytest.raises(UsageError, match=r"would undo the codes of up\.bias"):
        plan(case.folder / "m.safetensors", from_config(case.spec(*steps)))


def test_a_mean_that_no_inputs_have_is_refused(case: Case) -> None:
    case.grams["up.mean"] = case.grams["up.mean"] * 3
    with pytest.raises(FormatError, match=r"tensor up\.mean: it does not go with"):
        case.run(BITS2, CORRECTION)


_CODE = """
import json, sys
from compress_core import Settings, compress, from_config
compress(sys.argv[1], sys.argv[2], from_config(json.loads(sys.argv[3])), Settings(jobs=3))
"""


@pytest.mark.parametrize(
    "first",
    [BITS2, {"pass": "prune", "sparsity": 0.9, "method": "sparsegpt"}],
    ids=["int2", "sparsegpt"],
)
def test_neither_threads_nor_memory_nor_the_process_change_a_byte(
    first: dict[str, Any], case: Case
) -> None:
    case.arrays["up.weight"] = np.tile(case.arrays["up.weight"], (6, 1))
    case.arrays["up.bias"] = np.tile(case.arrays["up.bias"], 6)
    case.save()
    source, config = case.folder / "m.safetensors", case.spec(first, CORRECTION)
    found = set()
    for index, (jobs, memory) in enumerate(((1, 2**30), (4, 2**30), (2, 80 * 2**20))):
        target = case.folder / f"{index}.safetensors"
        settings = Settings(jobs=jobs, max_memory=memory)
        outputs = compress(source, target, from_config(config), settings).totals.outputs
        found.add((target.read_bytes(), outputs))
    there = case.folder / "there.safetensors"
    subprocess.run([sys.executable, "-c", _CODE, source, there, json.dumps(config)], check=True)
    ((data, _),) = found
    assert data == there.read_bytes()


def test_it_is_for_biases() -> None:
    assert BiasCorrection().config() == {}
    assert BiasCorrection(always=True).config() == {"always": True}
