"""The pass that gives tensors another dtype: what it takes, what it leaves alone, what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from compress_core import (
    Settings,
    compress,
    diff,
    from_config,
    open_logical,
    plan,
    restore,
)
from compress_core.dtypes import DTYPES
from compress_core.errors import NonFiniteError, UnsupportedError, UsageError
from compress_core.limits import Limits
from compress_core.passes.cast import Cast
from compress_core.report import Report
from compress_core.tensors import Form, Structure, TensorInfo
from tests.independent import packed_reader

BF16 = ml_dtypes.bfloat16
INFO = TensorInfo("w", DTYPES["F32"], (4, 8), 128)
Arrays = dict[str, NDArray[Any]]


def random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def coarse(*shape: int) -> NDArray[np.float32]:
    """Numbers that both 16-bit dtypes hold, as float32."""
    return np.round(random(*shape) * 16).astype(np.float32)


def weights() -> Arrays:
    return {
        "fine.weight": random(48, 64),
        "coarse.weight": coarse(48, 64),
        "half.weight": random(16, 64).astype(np.float16),
        "brain.weight": random(16, 64).astype(BF16),
        "wide.weight": random(16, 64).astype(np.float64) + 2.0**-40,
        "norm.weight": coarse(64),
        "scale": np.array(2.5, np.float32),
        "steps": np.arange(3),
        "empty": np.zeros((0, 4), np.float32),
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    save_file(weights(), tmp_path / "in.safetensors")
    return tmp_path / "in.safetensors"


def cast(
    source: Path, *passes: dict[str, Any], layout: str = "auto", **settings: Any
) -> tuple[Path, Report]:
    target = source.with_name("out.safetensors" if source.is_file() else "out")
    return target, compress(source, target, spec(*passes, layout=layout), Settings(**settings))


def spec(*passes: dict[str, Any], layout: str = "auto") -> Any:
    return from_config(
        {
            "version": 1,
            "select": {"ignore": []},
            "passes": [{"pass": "cast", **one} if "pass" not in one else one for one in passes],
            "output": {"layout": layout},
        }
    )


def said(report: Report) -> dict[str, str]:
    return {one.name: one.to for one in report.tensors}


def dtypes(path: Path) -> dict[str, str]:
    with safe_open(path, framework="np") as opened:
        return {name: opened.get_slice(name).get_dtype() for name in opened.keys()}  # noqa: SIM118


def test_every_float_tensor_is_cast_vectors_and_scalars_too(source: Path) -> None:
    target, report = cast(source, {"to": "bf16"})
    found = load_file(target)
    for name, before in weights().items():
        if name in ("steps", "empty"):
            assert found[name].dtype == before.dtype
        else:
            assert found[name].shape == before.shape
            wide = before if before.dtype == np.float64 else before.astype(np.float32)
            np.testing.assert_array_equal(found[name], wide.astype(BF16))
    assert said(report) == dict.fromkeys(weights(), "bf16") | {
        "brain.weight": "kept",
        "steps": "kept",
        "empty": "kept",
    }
    because = {one.name: one.kept_because for one in report.tensors}
    assert because["brain.weight"] == "nothing to do"
    assert because["empty"] == "empty"
    measured = {one.name: one.measured for one in report.tensors if one.measured}
    assert measured["coarse.weight"].error == 0
    assert 0.001 < measured["fine.weight"].error < 0.004


def test_the_result_is_plain_weights(source: Path) -> None:
    target, report = cast(source, {"to": "f16"})
    assert report.layout == "dense"
    assert report.files == {"out.safetensors": target.stat().st_size}
    assert plan(source, spec({"to": "f16"})).totals.bytes_out == target.stat().st_size


@pytest.mark.parametrize("layout", ["dense", "packed"])
def test_lossless_only_takes_exactly_what_loses_nothing(source: Path, layout: str) -> None:
    one = {"to": "bf16", "lossless_only": True}
    early = plan(source, spec(one, layout=layout))
    target, report = cast(source, one, layout=layout)
    assert said(report) == dict.fromkeys(weights(), "kept") | {
        "coarse.weight": "bf16",
        "norm.weight": "bf16",
        "scale": "bf16",
    }
    because = {one.name: one.kept_because for one in report.tensors}
    assert because["fine.weight"] == because["half.weight"] == "a cast would lose something"
    restored = source.with_name("back.safetensors")
    restore(target, restored)
    for name, before in weights().items():
        np.testing.assert_array_equal(load_file(restored)[name].astype(np.float64), before)
    assert said(early)["fine.weight"] == "bf16 if lossless"
    assert early.totals.exactness == "at most"
    assert early.totals.bytes_out >= target.stat().st_size
    surveyed = plan(source, spec(one, layout=layout), exact=True)
    assert (surveyed.totals.exactness, surveyed.totals.bytes_out) == (
        "exact",
        target.stat().st_size,
    )
    assert said(surveyed) == said(report)


@pytest.mark.parametrize("layout", ["dense", "packed"])
@pytest.mark.parametrize("elements", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_bound_holds_for_the_smallest_tensors(
    tmp_path: Path, dtype: Any, elements: int, layout: str
) -> None:
    for count in range(1, 12):
        source = tmp_path / f"{count}.safetensors"
        tensors = {f"t{n}": np.ones(elements, dtype) for n in range(count)}
        save_file({**tensors, "odd": np.full(1, 0.1, dtype)}, source)
        one = spec({"to": "bf16", "lossless_only": True}, layout=layout)
        target = tmp_path / "out.safetensors"
        report = compress(source, target, one, Settings(replace=True))
        assert plan(source, one).totals.bytes_out >= target.stat().st_size
        assert list(said(report).values()).count("bf16") == count


def test_wider_dtypes_hold_everything_and_cost_bytes(source: Path) -> None:
    for lossless in (False, True):
        one = {"to": "f32", "lossless_only": lossless, "ignore": ["wide*"]}
        target, report = cast(source, one, replace=True)
        assert said(report)["half.weight"] == said(report)["brain.weight"] == "f32"
        assert {one.exactness for one in plan(source, spec(one)).tensors} == {"exact"}
        np.testing.assert_array_equal(
            load_file(target)["brain.weight"], weights()["brain.weight"].astype(np.float32)
        )


def test_what_is_beyond_the_range_is_an_error_or_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "in.safetensors"
    save_file({"big": np.array([[1, 7e4]], np.float32), "small": np.ones(4, np.float32)}, source)
    with pytest.raises(UnsupportedError) as caught:
        cast(source, {"to": "f16"})
    assert caught.value.message == "tensor big: 70000 is beyond the range of F16"
    assert caught.value.where == str(source)
    assert caught.value.hint is not None
    assert "--to bf16" in caught.value.hint
    assert not (tmp_path / "out.safetensors").exists()
    _, report = cast(source, {"to": "f16", "lossless_only": True})
    assert said(report) == {"big": "kept", "small": "f16"}


def test_nan_and_infinity_go_through_and_are_refused_by_what_comes_after(tmp_path: Path) -> None:
    source = tmp_path / "in.safetensors"
    save_file({"w": np.array([[np.nan, np.inf, -np.inf, 1.001]], np.float32)}, source)
    target, report = cast(source, {"to": "bf16"})
    found = load_file(target)["w"].astype(np.float32)
    np.testing.assert_array_equal(found, [[np.nan, np.inf, -np.inf, 1.0]])
    (one,) = report.tensors
    assert one.measured is not None
    assert one.measured.error == pytest.approx(0.001 / 1.001, rel=1e-3)
    assert one.reference_square == pytest.approx(1.001**2)
    with pytest.raises(NonFiniteError):
        cast(source, {"to": "bf16"}, {"pass": "prune", "sparsity": 0.5}, replace=True)


def test_a_cast_before_codes_is_what_they_are_made_of(source: Path) -> None:
    """Casting in one run or in two gives the same codes."""
    int8 = {"pass": "quantize", "bits": 8, "group_size": 32, "match": ["fine.weight"]}
    both, _ = cast(source, {"to": "bf16"}, int8)
    once = source.with_name("once.safetensors")
    compress(source, once, spec({"to": "bf16"}))
    twice = source.with_name("twice.safetensors")
    compress(once, twice, spec(int8))
    one, other = load_file(both), load_file(twice)
    assert one.keys() == other.keys()
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    assert dtypes(both)["fine.weight.scale"] == "BF16"
    with open_logical(both) as reader, open_logical(twice) as again:
        assert dict(reader.infos) == dict(again.infos)
        assert reader.infos["fine.weight"].dtype.code == "BF16"


def test_a_cast_after_codes_is_what_they_are_decoded_to(source: Path) -> None:
    int8 = {"pass": "quantize", "bits": 8, "match": ["fine.weight"]}
    target, report = cast(source, int8, {"to": "bf16"}, layout="packed")
    assert said(report)["fine.weight"] == "bf16 int8 channel"
    back = source.with_name("back.safetensors")
    restore(target, back)
    alone = source.with_name("alone.safetensors")
    compress(source, alone, spec(int8))
    wide = source.with_name("wide.safetensors")
    restore(alone, wide)
    np.testing.assert_array_equal(
        load_file(back)["fine.weight"], load_file(wide)["fine.weight"].astype(BF16)
    )
    _, report = cast(source, int8, {"to": "bf16", "lossless_only": True}, replace=True)
    assert said(report)["fine.weight"] == "int8 channel"


def test_codes_after_a_cast_that_is_open_are_decoded_to_the_dtype_of_the_file(source: Path) -> None:
    one = {"to": "bf16", "lossless_only": True}
    int8 = {"pass": "quantize", "bits": 8, "match": ["coarse.weight"]}
    target, report = cast(source, one, int8)
    assert said(report)["coarse.weight"] == "int8 channel"
    assert said(report)["norm.weight"] == "bf16"
    with open_logical(target) as reader:
        assert reader.infos["coarse.weight"].dtype.code == "F32"
    found = {one.name: one.measured for one in diff(source, target).tensors}["coarse.weight"]
    (measured,) = (one.measured for one in report.tensors if one.name == "coarse.weight")
    assert found == measured


def test_zeros_of_a_pruned_tensor_lose_nothing(source: Path) -> None:
    prune = {"pass": "prune", "threshold": 100, "match": ["fine.weight"]}
    target, report = cast(source, prune, {"to": "bf16", "lossless_only": True})
    assert said(report)["fine.weight"] == "bf16 sparse"
    assert plan(source, spec(prune, {"to": "bf16", "lossless_only": True})).totals.bytes_out >= (
        target.stat().st_size
    )


@pytest.mark.parametrize("lossless", [False, True])
def test_a_global_prune_after_a_cast_compares_what_is_left(tmp_path: Path, lossless: bool) -> None:
    """Patterns of different 16-bit dtypes are no magnitudes of one kind."""
    source = tmp_path / "in.safetensors"
    save_file(
        {
            "coarse": np.array([[1, 2], [3, 4]], np.float16),
            "fine": np.array([[1.0009766, 2.001953], [3.001953, 4.0039062]], np.float16),
        },
        source,
    )
    one = {"to": "bf16", "lossless_only": lossless}
    target, report = cast(
        source, one, {"pass": "prune", "sparsity": 0.5, "scope": "global"}, layout="dense"
    )
    found = load_file(target)
    np.testing.assert_array_equal(found["coarse"].astype(np.float32), [[0, 0], [3, 4]])
    np.testing.assert_array_equal(found["fine"] != 0, [[False, False], [True, True]])
    assert said(report) == {
        "coarse": "bf16 sparse",
        "fine": "sparse" if lossless else "bf16 sparse",
    }


def test_there_and_back_is_said_to_have_changed_the_values(source: Path) -> None:
    target, report = cast(source, {"to": "bf16"}, {"to": "f32"}, layout="dense")
    assert said(report)["fine.weight"] == "changed"
    found = load_file(target)["fine.weight"]
    np.testing.assert_array_equal(found, weights()["fine.weight"].astype(BF16))
    assert found.dtype == np.float32


def test_the_record_of_a_packed_file_is_against_the_original(source: Path) -> None:
    target, report = cast(source, {"to": "bf16"}, layout="packed")
    with open_logical(target) as reader:
        measured = {one.name: one.measured for one in report.tensors if one.measured}
        assert dict(reader.errors) == measured
        assert reader.infos["scale"].shape == ()
    back = source.with_name("back.safetensors")
    restore(target, back)
    again = packed_reader.read(target)
    assert again["fine.weight"].tobytes() == load_file(back)["fine.weight"].tobytes()
    assert again["scale"].shape == ()
    dense = source.with_name("dense.safetensors")
    compress(source, dense, spec({"to": "bf16"}))
    assert dtypes(back) == dtypes(dense)
    assert not diff(dense, back).differs


def test_nothing_to_cast_is_a_copy(tmp_path: Path) -> None:
    save_file({"w": np.ones((2, 2), BF16)}, tmp_path / "in.safetensors")
    target, report = cast(tmp_path / "in.safetensors", {"to": "bf16"})
    assert "no tensor is selected: the output is a copy" in report.notes
    assert dtypes(target) == {"w": "BF16"}


@pytest.mark.parametrize(
    ("word", "to"),
    [
        *(("fp16", "f16"), ("float16", "f16"), ("torch.float16", "f16"), ("HALF", "f16")),
        *(("bfloat16", "bf16"), ("torch.bfloat16", "bf16")),
        *(("fp32", "f32"), ("float", "f32"), ("Float32", "f32")),
    ],
)
def test_dtypes_have_the_names_that_people_use(word: str, to: str) -> None:
    assert Cast.from_config({"to": word}) == Cast(to=to)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(UsageError, match="cast needs a dtype"):
        Cast()
    open_ended = Cast(to="bf16", lossless_only=True)
    form = open_ended.becomes(INFO, Form(INFO.dtype), Limits())
    assert isinstance(form, Form)
    with pytest.raises(UsageError, match="two casts may or may not take w"):
        Cast(to="f16", lossless_only=True).becomes(INFO, form, Limits())
    assert Cast(to="f32", lossless_only=True).becomes(INFO, form, Limits()) == Form(
        INFO.dtype, moved=True
    )


def test_forms_say_what_they_are_and_may_be() -> None:
    form = Form(DTYPES["F32"], sparsity=Structure.parse("2of4"), maybe=DTYPES["BF16"])
    assert str(form) == "bf16 if lossless 2of4"
    assert [str(one) for one in form.outcomes] == ["2of4", "bf16 2of4"]
    assert str(Form(DTYPES["BF16"], cast=True)) == "bf16"


CONFIG = {
    "dtype": "float32",
    "text_config": {"torch_dtype": "float32", "layers": 2},
    "vision_config": {"hidden": 4},
    "quantization_config": {"dtype": "float32"},
}


def checkpoint(path: Path, config: dict[str, Any]) -> Path:
    path.mkdir()
    save_file({"a.weight": random(8, 8), "n.weight": random(8)}, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(config))
    return path


def test_the_config_of_a_folder_follows_when_all_weights_do(tmp_path: Path) -> None:
    config = {key: value for key, value in CONFIG.items() if key != "quantization_config"}
    source = checkpoint(tmp_path / "m", config)
    target, report = cast(source, {"to": "bf16"})
    after = json.loads((target / "config.json").read_text())
    assert after == {
        "dtype": "bfloat16",
        "text_config": {"torch_dtype": "bfloat16", "layers": 2},
        "vision_config": {"hidden": 4},
    }
    assert (target / "model.safetensors").exists()
    assert report.notes == (
        "dtype of config.json becomes bfloat16",
        "text_config.torch_dtype of config.json becomes bfloat16",
    )


def test_the_config_stays_where_some_weights_do_and_that_is_said(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "m", {"dtype": "float32"})
    target, report = cast(source, {"to": "bf16", "ignore": ["n.weight"]})
    assert json.loads((target / "config.json").read_text()) == {"dtype": "float32"}
    assert "dtype of config.json stays float32: not all weights are bfloat16" in report.notes
    assert not cast(source, {"to": "f16", "lossless_only": True}, replace=True)[1].notes


def test_layouts_for_servers_take_the_dtype_of_the_cast(tmp_path: Path) -> None:
    """Scales in the dtype of the weights, a config that names it, and a way back to it."""
    source = tmp_path / "m"
    source.mkdir()
    arrays = {"a.q_proj.weight": random(64, 128), "norm.weight": random(64)}
    save_file(arrays, source / "model.safetensors")
    (source / "config.json").write_text('{"dtype": "float32"}')
    target, report = cast(source, {"to": "bf16"}, {"pass": "quantize", "preset": "W4A16"})
    assert report.layout == "compressed-tensors"
    stored = dtypes(target / "model.safetensors")
    assert stored["a.q_proj.weight_scale"] == stored["norm.weight"] == "BF16"
    assert json.loads((target / "config.json").read_text())["dtype"] == "bfloat16"
    back = tmp_path / "back"
    restore(target, back)
    assert set(dtypes(back / "model.safetensors").values()) == {"BF16"}
    assert json.loads((back / "config.json").read_text()) == {"dtype": "bfloat16"}
    (layer,) = (one for one in report.tensors if one.name == "a.q_proj.weight")
    (found,) = (one for one in diff(source, back).tensors if one.name == "a.q_proj.weight")
    assert layer.measured == found.measured
