"""Gates that keep an output from appearing, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from compress_core import Settings, compress, from_config
from compress_core.batch.gating import judged
from compress_core.errors import GateError
from compress_core.gates import Gate, Growth, Limit, Origin
from compress_core.report import Report
from tests.compress_core.batch.conftest import Make

INT4 = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
WHERE = Origin("gates[0].max", "my specs/w4.yaml", 14, 3)


@pytest.fixture
def report(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.chdir(tmp_path)
    make("m/a b.safetensors")
    return compress("m/a b.safetensors", "a.x", INT4)


def refused(report: Report, *gates: Gate) -> GateError:
    with pytest.raises(GateError) as caught:
        judged(report, gates, Settings())
    assert caught.value.where == "m/a b.safetensors"
    return caught.value


def test_what_passes_is_let_through(report: Report) -> None:
    assert judged(report, (), Settings()) == ()
    assert judged(report, [Gate("size", (Limit("max", 10**6),))], Settings()) == ()


def test_limit_figure_and_place_are_told_of_each(report: Report) -> None:
    size = Gate("size", (Limit("max", 10, WHERE), Limit("min", 10**6)))
    error = refused(report, size)
    over, under = error.message.split("; ")
    assert over == "size 1.77 KiB is over the limit of 10 B (my specs/w4.yaml:14)"
    assert under == "size 1.77 KiB is under the limit of 976.56 KiB (from Python)"
    assert [(one.kind, one.bound, one.origin.line) for one in error.breaches] == [
        ("max", 10, 14),
        ("min", 10**6, None),
    ]


def test_the_hint_is_a_command_for_this_input_and_this_spec(report: Report) -> None:
    size = Gate("size", (Limit("max", 10, WHERE),))
    assert refused(report, size).hint == (
        "modelopt plan 'm/a b.safetensors' --spec 'my specs/w4.yaml'"
    )
    error = Gate("error", (Limit("max", 0.01, WHERE),))
    assert refused(report, error).hint == (
        "modelopt compress 'm/a b.safetensors' --spec 'my specs/w4.yaml' --gate-before-write"
    )
    from_python = Gate("size", (Limit("max", 10),))
    assert refused(report, from_python).hint == (
        "modelopt plan 'm/a b.safetensors' --compare W8A16,W4A16,W3A16"
    )


def test_growth_may_be_meant(report: Report, tmp_path: Path) -> None:
    (tmp_path / "my specs").mkdir()
    entry = '{"bytes": 8, "tensor_bytes": 8}'
    (tmp_path / "my specs" / "b.json").write_text(
        f'{{"schema": "modelopt.baseline/1", "files": {{"../a.x": {entry}}}}}'
    )
    growth = Limit("max_growth", Growth(1), WHERE)
    error = refused(report, Gate("size", (growth,), baseline="b.json"))
    assert "is over the limit of +1 % vs my specs/b.json, was 8 B, is 1.77 KiB" in error.message
    assert str(error.hint).endswith("delete its line in my specs/b.json")


def test_a_hint_names_the_key_and_does_not_resume(report: Report) -> None:
    resuming = replace(report, spec={**report.spec, "output": {"on_exists": "resume"}})
    gate = Gate("error", (Limit("max", 0.01, WHERE),))
    with pytest.raises(GateError) as caught:
        judged(resuming, [gate], Settings(key="model.ema"))
    assert caught.value.hint == (
        "modelopt compress 'm/a b.safetensors' --key model.ema --spec 'my specs/w4.yaml'"
        " --gate-before-write --force"
    )
