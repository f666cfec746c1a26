"""Codes chosen by Gram matrices, in every number format, and under masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from compress_core import Report, Settings, compress, from_config, restore
from compress_core.dtypes import DTYPES
from compress_core.errors import UsageError
from compress_core.passes.base import Target, Waiting
from compress_core.passes.quantize import Quantize
from compress_core.schemes.nvfp4 import Nvfp4
from compress_core.tensors import Form, TensorInfo
from tests.compress_core import gram_files

FORMATS: dict[str, dict[str, Any]] = {
    "int8": {"bits": 8},
    "int4": {"bits": 4, "group_size": 16},
    "int3": {"bits": 3, "symmetric": False},
    "int3 tensor": {"bits": 3, "group_size": "tensor"},
    "int2": {"bits": 2},
    "int2 ragged": {"bits": 2, "group_size": 20},
    "int2 mean": {"bits": 2, "center": "mean", "group_size": 16},
    "binary": {"bits": 1},
    "binary sign": {"bits": 1, "center": "none", "group_size": 16},
    "ternary": {"scheme": "ternary"},
    "fp8": {"scheme": "fp8"},
    "fp8-block": {"scheme": "fp8-block", "group_size": 16},
    "nf4": {"scheme": "nf4", "group_size": 16},
    "mxfp4": {"scheme": "mxfp4", "group_size": 16},
    "nvfp4": {"scheme": "nvfp4", "group_size": 16},
    "nf4-double": {"scheme": "nf4", "double_quant": True, "group_size": 16},
    "affine": {"scheme": "affine", "bits": 4, "group_size": 16},
    "mxfp8": {"scheme": "mxfp8", "group_size": 16},
    "formula": {"bits": 3, "scale_search": "none"},
}
WAYS = ("gptq", "cd", "ste")
each_format = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return gram_files.saved(tmp_path / "model.safetensors", gram_files.model())


@pytest.fixture
def gram(tmp_path: Path) -> Path:
    return gram_files.saved(tmp_path / "g.safetensors", gram_files.grams(gram_files.model()))


def run(source: Path, gram: Path | None, *passes: dict[str, Any]) -> tuple[Report, dict[str, Any]]:
    config = {"version": 1, "passes": list(passes), **({"gram": str(gram)} if gram else {})}
    small, dense = source.with_name("small.safetensors"), source.with_name("dense.safetensors")
    report = compress(source, small, from_config(config), Settings(replace=True))
    restore(small, dense, Settings(replace=True))
    return report, load_file(dense)


def quantized(form: dict[str, Any], way: str = "none") -> dict[str, Any]:
    return {"pass": "quantize", **form, **({} if way == "none" else {"refine": way})}


def errors(report: Report) -> tuple[float, float]:
    assert report.totals.outputs is not None
    assert report.totals.outputs.held_out is not None
    return report.totals.outputs.in_sample.error, report.totals.outputs.held_out.error


@each_format
@each_way
def test_it_loses_less_of_what_the_layers_give(
    way: str, form: dict[str, Any], source: Path, gram: Path
) -> None:
    plain, _ = run(source, gram, quantized(form))
    report, _ = run(source, gram, quantized(form, way))
    if way == "gptq" and form.get("bits") == 1:
        return  # feedback alone may lose more where there are but two numbers
    for before, after in zip(errors(plain), errors(report), strict=True):
        assert after < (0.98 if way == "ste" else 0.9) * before
    size = [one.totals.tensor_bytes_out for one in (plain, report)]
    assert size[0] == size[1]


@each_format
def test_the_report_is_of_what_is_restored(form: dict[str, Any], source: Path, gram: Path) -> None:
    report, restored = run(source, gram, quantized(form, "cd"))
    weights = load_file(source)
    for tensor in report.tensors:
        if tensor.measured is not None:
            gap = weights[tensor.name].astype(np.float64) - restored[tensor.name]
            wanted = np.linalg.norm(gap) / np.linalg.norm(weights[tensor.name])
            assert tensor.measured.error == pytest.approx(wanted, rel=1e-6)


@each_format
@each_way
def test_pruned_elements_stay_zero_and_are_made_up_for(
    way: str, form: dict[str, Any], source: Path, gram: Path
) -> None:
    half = {"pass": "prune", "sparsity": 0.5, "method": "admm"}
    _, pruned = run(source, gram, half)
    report, restored = run(source, gram, half, quantized(form, way))
    plain, _ = run(source, gram, half, quantized(form))
    for name in ("up.weight", "down.weight"):
        assert not restored[name][pruned[name] == 0].any()
    assert errors(report)[0] <= errors(plain)[0] * (3 if way == "gptq" else 1.02)


@each_format
@each_way
def test_without_a_matrix_codes_are_those_of_rounding_and_the_report_says_so(
    way: str, form: dict[str, Any], source: Path
) -> None:
    _, plain = run(source, None, quantized(form))
    report, restored = run(source, None, quantized(form, way))
    for name, tensor in plain.items():
        np.testing.assert_array_equal(restored[name].view(np.uint32), tensor.view(np.uint32))
    said = (
        f"no Gram matrix of down.weight and 1 more: refine {way} is rounding to the nearest there"
    )
    assert said in report.notes


def test_descent_begins_where_feedback_ends(source: Path, gram: Path) -> None:
    for form in (FORMATS["int4"], FORMATS["int2"], FORMATS["nf4"]):
        feedback, _ = run(source, gram, quantized(form, "gptq"))
        descent, _ = run(source, gram, quantized(form, "cd"))
        assert errors(descent)[0] < errors(feedback)[0]


def test_weights_far_out_do_not_spoil_their_row(source: Path, gram: Path, tmp_path: Path) -> None:
    arrays = gram_files.model()
    rows = np.arange(300)
    arrays["up.weight"][rows, rows % 48] *= 500
    other = gram_files.saved(tmp_path / "other.safetensors", arrays)
    form = {"bits": 4, "group_size": 16}
    plain, _ = run(other, gram, quantized(form))
    for way in WAYS:
        report, restored = run(other, gram, quantized(form, way))
        assert errors(report)[0] <= errors(plain)[0]
        assert np.isfinite(restored["up.weight"]).all()


def test_damping_without_a_way_to_use_it_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        Quantize.from_config({"bits": 4, "damping": 0.1})
    assert caught.value.where == "damping"


def test_tensors_that_readers_join_have_matrices_alike() -> None:
    work = Quantize.from_config({"scheme": "nvfp4", "refine": "cd"})
    targets = []
    for name in ("q_proj", "k_proj"):
        info = TensorInfo(f"{name}.weight", DTYPES["F32"], (32, 64), 32 * 64 * 4)
        form = Form(info.dtype, Nvfp4(4, 16))
        targets.append(Target(info, Form(info.dtype), form, has_gram=name == "k_proj"))
    with pytest.raises(UsageError, match=r"q_proj\.weight has no Gram matrix") as caught:
        work.settle(targets, None)
    assert caught.value.hint
    assert isinstance(work.settle(targets[1:], None), Waiting)
    assert not isinstance(work.settle(targets[:1], None), Waiting)
