"""Folders of compressed-tensors, ours and those of other tools, whole and damaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core import Settings, compress, from_config, open_logical, restore
from compress_core.errors import FormatError, UnsupportedError, UsageError
from compress_core.layouts.compressed_tensors.reader import RECORDER
from tests.contracts import zoo

BF16 = ml_dtypes.bfloat16
INT4 = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 8}
Arrays = dict[str, NDArray[Any]]


def config(weights: Mapping[str, Any], format_: str | None, **others: Any) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": dict(weights), "format": format_}
    said = {
        "quant_method": "compressed-tensors",
        "format": format_,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        **others,
    }
    return {"model_type": "x", "dtype": "float32", "quantization_config": said}


def folder(path: Path, arrays: Arrays, said: Mapping[str, Any]) -> Path:
    zoo.checkpoint(path, arrays, {"format": "pt"})
    (path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    return path


def words(*rows: str) -> NDArray[np.int32]:
    return np.stack([np.frombuffer(bytes.fromhex(row), "<i4") for row in rows])


def packed() -> Arrays:
    """Two rows of eight codes of 4 bits: 1 … 8, and 8 … 15."""
    return {
        "a.fc.weight_packed": words("21436587", "98badcfe"),
        "a.fc.weight_scale": np.array([[1], [0.5]], BF16),
        "a.fc.weight_shape": np.array([2, 8], np.int64),
        "a.fc.bias": np.array([1, 2], np.float32),
    }


VALUES = np.array([[-7, -6, -5, -4, -3, -2, -1, 0], np.arange(8) / 2], np.float32)


def read(path: Path, name: str = "a.fc.weight") -> NDArray[Any]:
    with open_logical(path) as reader:
        info = reader.infos[name]
        return reader.read(name, 0, info.matrix[0]).view(zoo.CODES[info.dtype.code])


def test_a_weight_stands_in_the_place_of_its_parts(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", packed(), config(INT4, "pack-quantized"))
    np.testing.assert_array_equal(read(path), VALUES)
    with open_logical(path) as reader:
        assert list(reader.infos) == ["a.fc.weight", "a.fc.bias"]
        assert {name: str(form) for name, form in reader.forms.items()} == {
            "a.fc.weight": "int4 g8"
        }
        assert reader.config == {"model_type": "x", "dtype": "float32"}
        assert reader.stored_bytes("a.fc.weight") == 8 + 4 + 16
        np.testing.assert_array_equal(reader.read("a.fc.weight", 1, 2).view(np.float32), VALUES[1:])


def test_zero_points_packed_along_rows(tmp_path: Path) -> None:
    arrays = packed() | {"a.fc.weight_zero_point": words("21000000").reshape(1, 1)}
    said = config({**INT4, "symmetric": False}, "pack-quantized")
    found = read(folder(tmp_path / "m", arrays, said))
    np.testing.assert_array_equal(found[0], np.arange(8))  # zero point 1
    np.testing.assert_array_equal(found[1], np.arange(6, 14) / 2)  # zero point 2


@pytest.mark.parametrize("format_", ["int-quantized", "naive-quantized", None])
def test_bytes_with_zero_points(format_: str | None, tmp_path: Path) -> None:
    arrays: Arrays = {
        "a.fc.weight": np.array([[-128, 0, 127]], np.int8),
        "a.fc.weight_scale": np.array([[2]], np.float16),
        "a.fc.weight_zero_point": np.array([[-1]], np.int8),
    }
    weights = {"num_bits": 8, "type": "int", "symmetric": False, "strategy": "channel"}
    found = read(folder(tmp_path / "m", arrays, config(weights, format_)))
    np.testing.assert_array_equal(found, [[-254, 2, 256]])


def test_blocks_of_8_bit_floats(tmp_path: Path) -> None:
    values = np.arange(15, dtype=np.float32).reshape(5, 3)
    arrays: Arrays = {
        "a.fc.weight": values.astype(ml_dtypes.float8_e4m3fn),
        "a.fc.weight_scale": np.array([[1, 2], [4, 8], [16, 32]], np.float32),
    }
    weights = {"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [2, 2]}
    path = folder(tmp_path / "m", arrays, config(weights, "float-quantized"))
    scale = np.repeat(np.repeat(arrays["a.fc.weight_scale"], 2, 0), 2, 1)[:5, :3]
    np.testing.assert_array_equal(read(path), values * scale)
    with open_logical(path) as reader:
        part = reader.read("a.fc.weight", 1, 4).view(np.float32)
    np.testing.assert_array_equal(part, (values * scale)[1:4])


@pytest.mark.parametrize(
    ("dtype", "beside", "wanted"),
    [
        ("bfloat16", np.float32, "BF16"),
        ("torch.float16", np.float32, "F16"),
        (None, np.float32, "F32"),
        (None, None, "BF16"),  # that of the scale
    ],
)
def test_the_dtype_is_that_of_the_config_or_of_the_other_weights(
    dtype: str | None, beside: Any, wanted: str, tmp_path: Path
) -> None:
    arrays = packed()
    if beside is None:
        del arrays["a.fc.bias"]
    said = config(INT4, "pack-quantized")
    del said["dtype"]
    said |= {"torch_dtype": dtype} if dtype else {}
    with open_logical(folder(tmp_path / "m", arrays, said)) as reader:
        assert reader.infos["a.fc.weight"].dtype.code == wanted


def test_scales_of_inputs_and_caches_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    arrays = packed() | {
        "a.fc.input_scale": np.array([1], np.float32),
        "a.k_scale": np.array([1], np.float32),
    }
    path = folder(tmp_path / "m", arrays, config(INT4, "pack-quantized", kv_cache_scheme=INT4))
    with open_logical(path) as reader:
        assert list(reader.infos) == ["a.fc.weight", "a.fc.bias"]
        assert "2 scales of activations are left out" in reader.notes


@pytest.mark.parametrize(
    "change",
    [
        {"a.fc.weight_scale": np.array([[1, 1], [1, 1]], BF16)},
        {"a.fc.weight_scale": np.array([1, 0.5], BF16)},
        {"a.fc.weight_shape": np.array([2, 80], np.int64)},
        {"a.fc.weight_shape": np.array([3, 8], np.int64)},
        {"a.fc.weight_shape": np.array([2, -8], np.int64)},
        {"a.fc.weight_shape": np.array([2, 2**62], np.int64)},
        {"a.fc.weight_shape": np.array([2, 8], np.int32)},
        {"a.fc.weight_shape": np.array([2], np.int64)},
        {"a.fc.weight_shape": None},
        {"a.fc.weight_packed": words("21436587")},
        {"a.fc.weight_packed": np.zeros((2, 1), np.uint8)},
        {"a.fc.weight_packed": np.zeros(2, np.int32)},
        {"a.fc.weight_packed": np.zeros((2, 0), np.int32)},
        {"a.fc.weight": np.zeros((2, 8), np.float32)},
    ],
)
def test_parts_that_do_not_belong_together_are_damage(
    change: dict[str, Any], tmp_path: Path
) -> None:
    arrays = {name: array for name, array in (packed() | change).items() if array is not None}
    path = folder(tmp_path / "m", arrays, config(INT4, "pack-quantized"))
    with pytest.raises(FormatError) as caught:
        open_logical(path)
    assert str(path) in str(caught.value.where)


def test_a_missing_zero_point_is_damage(tmp_path: Path) -> None:
    said = config({**INT4, "symmetric": False}, "pack-quantized")
    with pytest.raises(FormatError, match="weight_zero_point is missing"):
        open_logical(folder(tmp_path / "m", packed(), said))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scales_that_are_no_numbers_are_damage(value: float, tmp_path: Path) -> None:
    arrays = packed() | {"a.fc.weight_scale": np.array([[1], [value]], BF16)}
    path = folder(tmp_path / "m", arrays, config(INT4, "pack-quantized"))
    with pytest.raises(FormatError, match="NaN or infinity"):
        restore(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "said",
    [
        config({**INT4, "num_bits": 1}, "pack-quantized"),
        config(INT4, "mxfp6-pack-quantized"),
        config(INT4, "pack-quantized", quantization_status="frozen"),
        config(INT4, "pack-quantized", transform_config={"config_groups": {"a": {}}}),
        config(
            INT4,
            "pack-quantized",
            config_groups={"a": {"targets": ["re:^(?!x).*fc$"], "weights": INT4}},
        ),
    ],
)
def test_what_is_not_decoded_is_shown_as_it_is_and_refused_by_name(
    said: dict[str, Any], tmp_path: Path
) -> None:
    path = folder(tmp_path / "m", packed(), said)
    with open_logical(path) as reader:
        assert "a.fc.weight_packed" in reader.infos
        assert any("not decoded here" in note for note in reader.notes)
    with pytest.raises(UnsupportedError, match="compressed-tensors"):
        restore(path, tmp_path / "out")


def test_an_order_of_columns_is_not_decoded(tmp_path: Path) -> None:
    arrays = packed() | {"a.fc.weight_g_idx": np.zeros(8, np.int32)}
    path = folder(tmp_path / "m", arrays, config(INT4, "pack-quantized"))
    with pytest.raises(UnsupportedError):
        restore(path, tmp_path / "out")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    arrays: Arrays = {
        "0.fc1.weight": zoo.normal("BF16", (32, 128)),
        "0.fc2.weight": zoo.normal("F32", (16, 128)),
        "0.norm.weight": zoo.normal("F32", (128,)),
    }
    return zoo.checkpoint(tmp_path / "source", arrays, {"format": "pt"})


def compressed(source: Path, *passes: Mapping[str, Any], **settings: Any) -> Path:
    target = source.with_name("small")
    spec = from_config(
        {"version": 1, "passes": list(passes), "output": {"layout": "compressed-tensors"}}
    )
    compress(source, target, spec, Settings(**settings))
    return target


W4A16 = {"pass": "quantize", "preset": "W4A16"}


def test_what_is_written_comes_back_with_its_dtypes_config_and_errors(source: Path) -> None:
    small, plain = compressed(source, W4A16), source.with_name("plain")
    restore(small, plain)
    before, after = (json.loads((one / "config.json").read_bytes()) for one in (source, plain))
    assert list(after.items()) == list(before.items())
    assert zoo.read(plain).codes == zoo.read(source).codes
    assert zoo.read(plain).metadata == {"format": "pt"}
    with open_logical(small) as reader:
        assert reader.errors.keys() == {"0.fc1.weight", "0.fc2.weight"}


def test_without_our_record_it_is_read_like_that_of_any_tool(source: Path) -> None:
    small = compressed(source, W4A16)
    file = small / "model.safetensors"
    found = zoo.read(small)
    zoo.write(file, found.arrays, {"format": "pt"})
    with open_logical(small) as reader:
        assert reader.infos["0.fc1.weight"].dtype.code == "F32"  # of most other elements
        assert not reader.errors


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(version=2),
        lambda said: said.update(tensors=[]),
        lambda said: said["tensors"].update({"0.fc1.weight": "I8"}),
        lambda said: said["tensors"].update({"0.fc1.weight": 4}),
        lambda said: said["tensors"].update({"other": "F32"}),
        lambda said: said["tensors"].pop("0.fc1.weight"),
        lambda said: said.update(aliases={"x": "nobody"}),
        lambda said: said.update(aliases={"0.norm.weight": "0.fc1.weight"}),
        lambda said: said.update(config=4),
    ],
)
def test_a_damaged_record_is_refused(change: Any, source: Path) -> None:
    small = compressed(source, W4A16)
    found = zoo.read(small)
    said = json.loads(found.metadata[RECORDER.key])
    change(said)
    strings = {**found.metadata, RECORDER.key: json.dumps(said)}
    zoo.write(small / "model.safetensors", found.arrays, strings)
    with pytest.raises(FormatError):
        open_logical(small)


def test_quantizing_again_needs_to_be_asked_for(source: Path) -> None:
    small = compressed(source, {**W4A16, "preset": "W8A16"})
    spec = from_config({"version": 1, "passes": [W4A16]})
    again = source.with_name("again")
    with pytest.raises(UnsupportedError, match="already quantized: compressed-tensors") as caught:
        compress(small, again, spec)
    assert "--requantize" in str(caught.value.hint)
    report = compress(small, again, spec, Settings(requantize=True))
    assert report.layout == "compressed-tensors"
    assert {one.to for one in report.tensors if one.measured} == {"int4 g128"}
    config_of = json.loads((again / "config.json").read_text(encoding="utf-8"))
    (group,) = config_of["quantization_config"]["config_groups"].values()
    assert group["weights"]["num_bits"] == 4


def test_4_bit_floats_change_the_dtype_of_the_config_and_restore_brings_it_back(
    source: Path,
) -> None:
    before = {"model_type": "x", "dtype": "float32", "hidden_size": 128}
    for said in (before, {"model_type": "x"}):
        (source / "config.json").write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        target = source.with_name(f"small {len(said)}")
        passes = [{"pass": "quantize", "preset": "NVFP4A16"}]
        report = compress(source, target, from_config({"version": 1, "passes": passes}))
        assert any("bfloat16" in note for note in report.notes)
        served = json.loads((target / "config.json").read_text(encoding="utf-8"))
        assert served["dtype"] == "bfloat16"
        restore(target, plain := source.with_name(f"plain {len(said)}"))
        assert (plain / "config.json").read_bytes() == (source / "config.json").read_bytes()


def test_layers_that_servers_join_share_a_global_scale(tmp_path: Path) -> None:
    arrays: Arrays = {
        f"0.{name}_proj.weight": zoo.normal("BF16", (16, 32), scale=scale)
        for name, scale in (("q", 0.1), ("k", 0.5), ("v", 0.2), ("o", 3.0))
    }
    source = zoo.checkpoint(tmp_path / "source", arrays, {"format": "pt"})
    passes = [{"pass": "quantize", "preset": "NVFP4A16", "scale_search": "none"}]
    compress(source, tmp_path / "small", from_config({"version": 1, "passes": passes}))
    found = zoo.read(tmp_path / "small").arrays
    whole = {name: float(found[f"0.{name}_proj.weight_global_scale"][0]) for name in "qkvo"}
    largest = np.abs(arrays["0.k_proj.weight"].astype(np.float32)).max()
    assert whole["q"] == whole["k"] == whole["v"] == np.float32(448 * 6) / largest
    assert whole["o"] < whole["q"]


def test_a_prune_before_it_leaves_codes_of_zero(source: Path) -> None:
    small = compressed(source, {"pass": "prune", "sparsity": 0.5}, W4A16)
    restore(small, plain := source.with_name("plain"))
    for name in ("0.fc1.weight", "0.fc2.weight"):
        assert (zoo.read(plain).arrays[name] == 0).mean() >= 0.5


def test_a_prune_alone_leaves_plain_weights_and_no_description(source: Path) -> None:
    small = compressed(source, {"pass": "prune", "sparsity": 0.5})
    said = json.loads((small / "config.json").read_text(encoding="utf-8"))
    assert "quantization_config" not in said
    assert zoo.read(small).codes == zoo.read(source).codes


@pytest.mark.parametrize("where", ["layer", "nowhere"])
def test_a_width_that_does_not_fit_is_an_error_where_nothing_else_would_be_done(
    where: str, tmp_path: Path
) -> None:
    arrays: Arrays = {
        "0.fc1.weight": zoo.normal("F32", (32, 96)),
        "0.fc2.weight": zoo.normal("F32", (32, 128)),
    }
    source = zoo.checkpoint(tmp_path / "source", arrays, {})
    match = ["0.fc1"] if where == "layer" else ["*fc1"]
    with pytest.raises(UsageError, match="96 columns are no multiple") as caught:
        compressed(source, {**W4A16, "match": match})
    assert caught.value.hint == "--group-size 32"
    small = compressed(source, W4A16)
    said = json.loads((small / "config.json").read_text(encoding="utf-8"))
    assert said["quantization_config"]["ignore"] == ["0.fc1"]


def test_packs_of_older_libraries_are_damage(tmp_path: Path) -> None:
    """Ten codes of 3 bits a word, as up to version 0.17."""
    arrays = packed() | {
        "a.fc.weight_packed": np.zeros((2, 4), np.int32),
        "a.fc.weight_shape": np.array([2, 32], np.int64),
    }
    said = copy.deepcopy(config({**INT4, "num_bits": 3, "group_size": 32}, "pack-quantized"))
    with pytest.raises(FormatError, match=r"and should be I32 \[2, 3\]"):
        open_logical(folder(tmp_path / "m", arrays, said))
