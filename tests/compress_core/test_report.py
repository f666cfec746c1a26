"""Reports: figures that follow from others, and a JSON form that every reader takes."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from compress_core import compress, from_config, plan
from compress_core.report import (
    SCHEMA,
    ErrorResult,
    OutputErrors,
    QuantizedTotals,
    Report,
    Squares,
    TensorReport,
    Totals,
    mean_outputs,
    pooled,
)

QUANTIZE = {"version": 1, "passes": [{"pass": "quantize", "bits": 4}]}


def test_an_error_is_the_root_of_two_sums() -> None:
    found = ErrorResult(error_square=4.0, reference_square=400.0, max_abs=1.5)
    assert found.error == 0.1
    assert found.sqnr_db == pytest.approx(20.0)


def test_no_error_has_no_decibels() -> None:
    for reference in (0.0, 3.0):
        found = ErrorResult(0.0, reference, 0.0)
        assert (found.error, found.sqnr_db) == (0.0, None)


def test_an_error_on_nothing_but_zeros_is_infinite() -> None:
    found = ErrorResult(1.0, 0.0, 1.0)
    assert (found.error, found.sqnr_db) == (math.inf, None)


def test_errors_pool_over_all_elements() -> None:
    one, other = ErrorResult(1.0, 2.0, 0.5), ErrorResult(3.0, 14.0, 0.25)
    assert pooled([one, other]) == ErrorResult(4.0, 16.0, 0.5)
    assert pooled([]) == ErrorResult(0.0, 0.0, 0.0)


def test_a_ratio_and_bits_need_something_to_divide_by() -> None:
    totals = Totals(1000, 250, 960, 240, 480, 480)
    assert (totals.ratio, totals.bits_per_weight) == (4.0, 4.0)
    empty = Totals(10, 0, 0, 0, 0, 0)
    assert (empty.ratio, empty.bits_per_weight) == (None, None)


def test_quantized_tensors_are_summed_without_all_others() -> None:
    known = ErrorResult(1.0, 100.0, 0.5)
    quantized = TensorReport("a", (8, 10), "F32", "int4", 320, 50, measured=known, quantized=True)
    tensors = [
        quantized,
        replace(quantized, name="b", bytes_out=30, measured=ErrorResult(3.0, 60.0, 0.1)),
        replace(quantized, name="tied to a", bytes_out=0, tied_to="a"),
        TensorReport("pruned", (8, 10), "F32", "sparse", 320, 200, measured=known),
        TensorReport("kept", (900,), "F32", "kept", 3600, 3600),
    ]
    found = QuantizedTotals.among(tensors)
    assert (found.tensors, found.elements, found.bytes_out) == (2, 160, 80)
    assert found.measured == ErrorResult(4.0, 160.0, 0.5)
    assert found.bits_per_weight == 4.0
    assert found.gap_db == pytest.approx(4 * 6.0206 - 10 * math.log10(40), abs=1e-4)
    assert found.to_json()["gap_db"] == found.gap_db


@pytest.mark.parametrize("measured", [None, ErrorResult(0.0, 5.0, 0.0), ErrorResult(1.0, 0.0, 1.0)])
def test_without_a_ratio_there_is_no_gap(measured: ErrorResult | None) -> None:
    tensor = TensorReport("a", (8,), "F32", "int4", 32, 4, "at most", measured, quantized=True)
    found = QuantizedTotals.among([tensor])
    assert (found.bits_per_weight, found.exactness, found.gap_db) == (4.0, "at most", None)
    json.dumps(found.to_json(), allow_nan=False)
    assert QuantizedTotals.among([]).to_json() == {
        "tensors": 0,
        "elements": 0,
        "bytes_out": 0,
        "bytes_out_is": "exact",
        "bits_per_weight": None,
        "error": None,
        "sqnr_db": None,
        "max_abs": None,
        "clipped": None,
        "gap_db": None,
    }


@pytest.mark.parametrize(("shape", "count"), [((), 1), ((0, 3), 0), ((4, 5), 20)])
def test_elements_follow_from_the_shape(shape: tuple[int, ...], count: int) -> None:
    assert TensorReport("a", shape, "F32", "kept", 0, 0).elements == count


@pytest.fixture
def report(samples: Path, tmp_path: Path) -> Report:
    return compress(
        samples / "silero_vad_16k.safetensors", tmp_path / "s.safetensors", from_config(QUANTIZE)
    )


def test_the_json_form_says_everything_exactly(report: Report) -> None:
    text = json.dumps(report.to_json(), allow_nan=False)
    said = json.loads(text)
    assert said["schema"] == SCHEMA == "modelopt.report/1"
    assert said["kind"] == "run"
    assert (said["spec"], said["layout"]) == (QUANTIZE, "packed")
    assert said["totals"]["bytes_out"] == report.totals.bytes_out
    assert said["totals"]["error"] == report.totals.measured.error  # type: ignore[union-attr]
    assert [tensor["name"] for tensor in said["tensors"]] == [one.name for one in report.tensors]
    for tensor, one in zip(said["tensors"], report.tensors, strict=True):
        assert (tensor["bytes_in"], tensor["bytes_out"]) == (one.bytes_in, one.bytes_out)
        assert tensor["kept_because"] == one.kept_because
        assert (tensor["error"] is None) == (one.measured is None)
        assert tensor["zeros"] == one.zeros
        assert tensor["quantized"] == one.quantized == (one.to != "kept")
    assert said["quantized"] == report.quantized.to_json()


def test_totals_are_the_sums_of_the_tensors(report: Report) -> None:
    totals = report.totals
    assert totals.tensor_bytes_in == sum(tensor.bytes_in for tensor in report.tensors)
    assert totals.tensor_bytes_out == sum(tensor.bytes_out for tensor in report.tensors)
    assert totals.elements == sum(tensor.elements for tensor in report.tensors)
    assert totals.bytes_in > totals.tensor_bytes_in
    assert totals.bytes_out == sum(report.files.values()) > totals.tensor_bytes_out


def test_an_infinite_error_is_null_since_json_has_no_infinity() -> None:
    endless = ErrorResult(1.0, 0.0, math.inf)
    said = TensorReport("a", (2,), "F32", "int4", 8, 4, measured=endless).to_json()
    totals = Totals(8, 4, 8, 4, 2, 2, measured=endless).to_json()
    for values in (said, totals):
        json.dumps(values, allow_nan=False)
        assert values["error"] is values["sqnr_db"] is values["max_abs"] is None


def test_a_plan_has_sizes_and_memory_and_no_errors(samples: Path) -> None:
    planned = plan(samples / "silero_vad_16k.safetensors", from_config(QUANTIZE))
    assert (planned.kind, planned.target) == ("plan", None)
    assert (planned.totals.measured, planned.totals.zeros) == (None, None)
    assert {(tensor.measured, tensor.zeros) for tensor in planned.tensors} == {(None, None)}
    assert (planned.quantized.measured, planned.has_errors) == (None, False)
    assert planned.peak_bytes is not None
    assert 50 * 2**20 < planned.peak_bytes < 200 * 2**20
    json.dumps(planned.to_json(), allow_nan=False)


def test_errors_of_outputs_have_a_mean_in_which_layers_count_alike() -> None:
    small = OutputErrors(Squares(1e-8, 1e-6), Squares(4e-8, 1e-6))
    large = OutputErrors(Squares(3e6, 1e8), Squares(1e6, 1e8))
    found = mean_outputs([small, large])
    assert found is not None
    assert found.in_sample.error == pytest.approx(math.sqrt((0.01 + 0.03) / 2))
    assert found.held_out is not None
    assert found.held_out.error == pytest.approx(math.sqrt((0.04 + 0.01) / 2))
    assert mean_outputs([]) is None


def test_a_held_out_mean_is_one_of_all_layers_or_of_none() -> None:
    found = mean_outputs([OutputErrors(Squares(1, 4), Squares(1, 4)), OutputErrors(Squares(1, 4))])
    assert found is not None
    assert found.held_out is None
    assert found.judged_by == found.in_sample


def test_errors_of_outputs_are_in_the_json_of_tensors_and_totals() -> None:
    outputs = OutputErrors(Squares(1, 4), Squares(4, 4))
    for one in (
        TensorReport("a", (2,), "F32", "sparse", 8, 4, outputs=outputs),
        Totals(8, 4, 8, 4, 2, 2, outputs=outputs),
    ):
        said = one.to_json()
        assert (said["output_error"], said["output_error_held_out"]) == (0.5, 1.0)
