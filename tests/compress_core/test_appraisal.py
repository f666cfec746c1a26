"""Files are measured as they are, by their record, or against their original."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from compress_core import Check, Gate, Settings, check, compress, from_config
from compress_core.checking import check_report
from compress_core.errors import FormatError, UsageError
from compress_core.gates import Judge, Limit, Measurement
from compress_core.layouts.packed import record
from compress_core.select import patterns
from compress_core.tiling import LEAST_MEMORY

PASSES = [{"pass": "prune", "sparsity": 0.5}, {"pass": "quantize", "bits": 4, "group_size": 32}]


def limited(metric: str, bound: float = 1e18, kind: str = "max", **more: Any) -> Gate:
    return Gate(metric, (Limit(kind, bound),), **more)  # type: ignore[arg-type]


def nows(found: Check) -> list[float]:
    return [verdict.now for verdict in found.verdicts]


def everything() -> list[Gate]:
    """A gate on every metric, over all tensors, over some, and over each."""
    some: dict[str, Any] = {"match": patterns(["*.up", "norm"])}
    metrics = ("tensor_bytes", "ratio", "bits_per_weight", "error", "max_abs", "zeros")
    gates = [limited("size")]
    for metric in metrics:
        bound = 1.0 if metric == "zeros" else 1e18
        gates += [
            limited(metric, bound),
            limited(metric, bound, **some),
            limited(metric, bound, over="tensor", **some),
        ]
    return [*gates, limited("sqnr_db", -100.0, "min")]


def test_run_record_and_original_tell_the_same(original: Path, tmp_path: Path) -> None:
    gates = everything()
    target = tmp_path / "out.safetensors"
    report = compress(original, target, from_config({"version": 1, "passes": PASSES}))
    by_run = nows(check_report(report, Judge(gates)))
    assert nows(check([target], gates)) == by_run
    assert nows(check([target], gates, against=original)) == by_run
    assert report.totals.measured is not None
    assert report.totals.measured.error in by_run


def test_a_folder_is_measured_like_a_file(samples: Path, tmp_path: Path) -> None:
    spec = from_config({"version": 1, "passes": PASSES})
    report = compress(samples / "fracast-bf16", tmp_path / "out", spec)
    gates = [limited(metric) for metric in ("size", "ratio", "error")]
    assert nows(check([tmp_path / "out"], gates)) == nows(check_report(report, Judge(gates)))
    assert nows(check([tmp_path / "out"], gates, against=samples / "fracast-bf16")) == nows(
        check([tmp_path / "out"], gates)
    )


def test_any_limits_of_the_machine_give_the_same(packed: Path, original: Path) -> None:
    gates = [limited("error"), limited("zeros", 1.0)]
    for against in (None, original):
        first = nows(check([packed], gates, Settings(jobs=1), against=against))
        tight = Settings(jobs=3, max_memory=LEAST_MEMORY)
        assert nows(check([packed], gates, tight, against=against)) == first


def test_sizes_are_read_from_headers(packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compress_core.appraisal.elements", None)
    gates = [limited(metric) for metric in ("size", "tensor_bytes", "ratio", "bits_per_weight")]
    assert not check([packed], gates).failed


@pytest.mark.parametrize("metric", ["error", "sqnr_db", "max_abs", "ratio"])
def test_plain_weights_do_not_tell_what_they_were(original: Path, metric: str) -> None:
    with pytest.raises(UsageError) as caught:
        check([original], [limited(metric)])
    assert caught.value.hint == "name the original: --against ORIGINAL"
    assert caught.value.where == str(original)


def test_a_record_without_errors_is_no_pass(packed: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    with safe_open(packed, "np") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del metadata[record.ERRORS_KEY]
    save_file(tensors, tmp_path / "bare.safetensors", metadata)
    with pytest.raises(FormatError, match="tells of 0 tensors"):
        check([tmp_path / "bare.safetensors"], [limited("error")])


def test_another_model_is_not_the_original(original: Path, packed: Path, tmp_path: Path) -> None:
    tensors = load_file(original)
    other = tmp_path / "other.safetensors"
    for name, change in (
        ("norm.weight", None),
        ("more.weight", np.ones((2, 2), np.float32)),
        ("norm.weight", np.ones((2, 48), np.float32)),
    ):
        changed = {**tensors, name: change}
        save_file({key: array for key, array in changed.items() if array is not None}, other)
        with pytest.raises(UsageError, match=f"not the original: tensor {name}"):
            check([packed], [limited("error")], against=other)


def test_nan_where_a_number_was_is_an_infinite_error(original: Path, tmp_path: Path) -> None:
    tensors = load_file(original)
    tensors["norm.weight"][3] = math.nan
    save_file(tensors, tmp_path / "nan.safetensors")
    found = check([tmp_path / "nan.safetensors"], [limited("error")], against=original)
    assert nows(found) == [math.inf]
    assert found.failed


def test_a_cast_to_eight_bits_has_an_error(original: Path, tmp_path: Path) -> None:
    tensors: dict[str, Any] = load_file(original)
    exact = {name: one for name, one in tensors.items() if name != "layers.0.up.weight"}
    cast = tensors["layers.0.up.weight"].astype(ml_dtypes.float8_e4m3fn)
    save_file({**exact, "layers.0.up.weight": cast}, tmp_path / "cast.safetensors")
    found = check([tmp_path / "cast.safetensors"], [limited("error", 0.001)], against=original)
    assert found.failed


def test_weights_that_kept_nan_weigh_nothing(original: Path, tmp_path: Path) -> None:
    tensors = load_file(original)
    tensors["norm.weight"][3] = math.nan
    source, target = tmp_path / "nan.safetensors", tmp_path / "out.safetensors"
    save_file(tensors, source)
    spec = from_config({"version": 1, "passes": PASSES})
    report = compress(source, target, spec)
    by_run = nows(check_report(report, Judge([limited("error")])))
    assert nows(check([target], [limited("error")])) == by_run
    assert report.totals.measured is not None
    assert by_run == [report.totals.measured.error]


def test_a_hint_can_name_what_it_was_made_from(original: Path, packed: Path) -> None:
    def source(paths: list[Path], **more: Any) -> str | None:
        (file,) = check(paths, [limited("size")], **more).files
        return file.original

    assert source([original]) == str(original)
    assert source([packed]) is None
    assert source([packed], against=original) == str(original)


def test_measurements_know_the_number_of_tensors(packed: Path) -> None:
    (file,) = check([packed], [limited("size")]).files
    assert isinstance(file, Measurement)
    assert len(file.tensors) == 5
