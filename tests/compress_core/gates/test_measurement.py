"""Each metric as a figure of some tensors, and what a run tells of them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from compress_core.errors import UsageError
from compress_core.gates import Measurement, TensorMeasure
from compress_core.gates.measurement import figure
from compress_core.gates.metric import METRICS
from compress_core.report import ErrorResult, OutputErrors, Report, Squares, TensorReport, Totals


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("size", 500),
        ("tensor_bytes", 380),
        ("ratio", 2.4),
        ("bits_per_weight", 8 * 380 / 260),
        ("error", math.sqrt(25 / 400)),
        ("sqnr_db", 10 * math.log10(400 / 25)),
        ("max_abs", 0.5),
        ("zeros", 50 / 250),
    ],
)
def test_of_the_whole_file(measured: Measurement, metric: str, expected: float) -> None:
    assert figure(metric, measured) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("tensor_bytes", 100),
        ("ratio", 8),
        ("bits_per_weight", 4),
        ("error", math.sqrt(25 / 200)),
        ("zeros", 0.25),
    ],
)
def test_of_some_tensors(measured: Measurement, metric: str, expected: float) -> None:
    assert figure(metric, measured, measured.tensors[:2]) == pytest.approx(expected, rel=1e-15)


def test_without_any_error_there_is_infinite_signal(measured: Measurement) -> None:
    assert figure("sqnr_db", measured, measured.tensors[2:3]) == math.inf


def test_what_has_no_floats_has_no_error(measured: Measurement) -> None:
    for metric in ("error", "sqnr_db", "max_abs", "zeros"):
        assert figure(metric, measured, measured.tensors[3:]) is None


def test_what_has_no_elements_has_no_figure() -> None:
    empty = Measurement("m", 0, (TensorMeasure("a", 0, 0, 0, True, zeros=0),), plain_bytes=0)
    for metric in ("ratio", "bits_per_weight", "zeros"):
        assert figure(metric, empty) is None
    assert figure("ratio", empty, empty.tensors) is None


def test_one_weight_of_unknown_error_makes_the_whole_unknown(measured: Measurement) -> None:
    tensors = (replace(measured.tensors[0], measured=None), *measured.tensors[1:])
    for metric in ("error", "sqnr_db", "max_abs"):
        with pytest.raises(UsageError) as caught:
            figure(metric, replace(measured, tensors=tensors))
        assert "--against ORIGINAL" in (caught.value.hint or "")


@pytest.mark.parametrize("narrowed", [False, True])
def test_an_unknown_original_has_no_ratio(measured: Measurement, narrowed: bool) -> None:
    lone = replace(measured, plain_bytes=None)
    with pytest.raises(UsageError, match="size without compression"):
        figure("ratio", lone, lone.tensors if narrowed else None)


def test_zeros_that_were_not_counted_are_not_taken_for_none(measured: Measurement) -> None:
    tensors = (replace(measured.tensors[0], zeros=None),)
    with pytest.raises(UsageError, match="number of zeros"):
        figure("zeros", replace(measured, tensors=tensors))


def test_a_run_is_measured_by_its_report() -> None:
    def tensor(name: str, weight: float | None, measured: ErrorResult | None) -> TensorReport:
        return TensorReport(
            name, (10,), "F32", "x", 40, 20, measured=measured, reference_square=weight
        )

    report = Report(
        kind="run",
        source="in.safetensors",
        target="out.safetensors",
        layout="packed",
        read_by="",
        tensors=(
            tensor("changed", 4.0, ErrorResult(1.0, 4.0, 0.5)),
            tensor("kept", 12.0, None),
            tensor("nan", math.inf, None),
            tensor("index", None, None),
        ),
        totals=Totals(1000, 100, 160, 80, 40, 30),
        spec={},
        version="0",
    )
    found = Measurement.of_report(report)
    assert (found.path, found.original) == ("out.safetensors", "in.safetensors")
    assert {metric: figure(metric, found) for metric in ("size", "ratio", "tensor_bytes")} == {
        "size": 100,
        "ratio": 10.0,
        "tensor_bytes": 80,
    }
    assert figure("error", found) == 0.25
    assert found.to_json() == {
        "path": "out.safetensors",
        "bytes": 100,
        "tensor_bytes": 80,
        "tensors": 4,
    }


def with_outputs(measured: Measurement) -> Measurement:
    """The first two tensors with errors of what they give: one of them has no held-out error."""
    outputs = (
        OutputErrors(Squares(0.01, 1.0), Squares(0.04, 1.0)),
        OutputErrors(Squares(0.25, 1.0)),
    )
    first, second, *rest = measured.tensors
    known = (replace(first, outputs=outputs[0]), replace(second, outputs=outputs[1]))
    return replace(measured, tensors=(*known, *rest))


def test_the_output_error_is_the_held_out_one_where_there_is_one(measured: Measurement) -> None:
    found = with_outputs(measured)
    assert figure("output_error", found, found.tensors[:1]) == pytest.approx(0.2)
    assert figure("output_error", found, found.tensors[1:2]) == pytest.approx(0.5)
    assert figure("output_error", found) == pytest.approx(math.sqrt((0.01 + 0.25) / 2))
    assert figure("output_error", found, found.tensors[2:]) is None
    with pytest.raises(UsageError, match="no Gram matrix"):
        figure("output_error", measured)


def test_every_metric_can_be_measured(measured: Measurement) -> None:
    for metric in METRICS.values():
        assert figure(metric.id, with_outputs(measured)) is not None
