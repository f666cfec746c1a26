"""Folders of MLX, ours and those of other tools, whole and damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core import Settings, compress, from_config, open_logical, restore
from compress_core.errors import FormatError, UnsupportedError
from tests.contracts import zoo

BF16 = ml_dtypes.bfloat16
Arrays = dict[str, NDArray[Any]]
EIGHTS: dict[str, Any] = {"group_size": 8, "bits": 4}


def folder(path: Path, arrays: Arrays, said: Mapping[str, Any], **others: Any) -> Path:
    zoo.checkpoint(path, arrays, {"format": "mlx"})
    config = {"model_type": "x", **others, "quantization": said, "quantization_config": said}
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


def words(*rows: str) -> NDArray[np.uint32]:
    return np.stack([np.frombuffer(bytes.fromhex(row), "<u4") for row in rows])


def affine() -> Arrays:
    """Two rows of eight codes of 4 bits: 1 … 8, and 8 … 15."""
    return {
        "a.fc.weight": words("21436587", "98badcfe"),
        "a.fc.scales": np.array([[1], [-0.5]], BF16),
        "a.fc.biases": np.array([[-3], [4]], BF16),
        "a.fc.bias": np.array([1, 2], np.float32),
    }


VALUES = np.array([np.arange(-2, 6), np.arange(0, -4, -0.5)], np.float32)


def read(path: Path, name: str = "a.fc.weight") -> NDArray[Any]:
    with open_logical(path) as reader:
        info = reader.infos[name]
        return reader.read(name, 0, info.matrix[0]).view(zoo.CODES[info.dtype.code])


def test_a_weight_stands_in_the_place_of_its_parts(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", affine(), EIGHTS, dtype="float32")
    np.testing.assert_array_equal(read(path), VALUES.astype(BF16))
    with open_logical(path) as reader:
        assert list(reader.infos) == ["a.fc.weight", "a.fc.bias"]
        assert reader.infos["a.fc.weight"].dtype.code == "BF16"  # that of its scales
        assert str(reader.forms["a.fc.weight"]) == "affine4 g8"
        assert reader.config == {"model_type": "x", "dtype": "float32"}
        assert reader.stored_bytes("a.fc.weight") == 8 + 4 + 4
        np.testing.assert_array_equal(reader.read("a.fc.weight", 1, 2).view(BF16), VALUES[1:])


@pytest.mark.parametrize(
    ("mode", "bits", "group", "scale", "values"),
    [
        ("mxfp4", 4, 32, [126], [0.5, 1, 1.5, 2, 3, 4, 6, -0.0]),
        ("nvfp4", 4, 16, [0x38, 0x30], [0.5, 1, 1.5, 2, 3, 4, 6, -0.0]),
        ("mxfp8", 8, 32, [128], [0x21, 0x43, 0x65]),
    ],
)
def test_floats(
    mode: str, bits: int, group: int, scale: list[int], values: list[float], tmp_path: Path
) -> None:
    arrays: Arrays = {
        "fc.weight": words("21436587" * bits),
        "fc.scales": np.array([scale], np.uint8),
        "norm.weight": np.ones(3, np.float16),
    }
    path = folder(tmp_path / "m", arrays, {"group_size": group, "bits": bits, "mode": mode})
    found = read(path, "fc.weight")
    assert found.dtype == np.float16  # of the other weights
    assert found.shape == (1, 32)
    if bits == 8:
        known = np.array(values, np.uint8).view(ml_dtypes.float8_e4m3fn).astype(np.float32)
        assert found[0, :3].tolist() == (2 * known).tolist()
    else:
        first = {"mxfp4": 0.5, "nvfp4": 1.0}[mode]
        assert found[0, :8].tolist() == [first * value for value in values]
        assert found[0, 16:24].tolist() == [value / 2 for value in values]


def test_what_mlx_stacks_has_three_dimensions(tmp_path: Path) -> None:
    flat = affine()
    arrays = {name: np.stack([flat[name], flat[name][::-1]]) for name in list(flat)[:3]}
    for stem in ("a.fc", "experts.fc"):
        named = {f"{stem}.{name.rpartition('.')[2]}": array for name, array in arrays.items()}
        path = folder(tmp_path / stem, named, EIGHTS)
        found = read(path, f"{stem}.weight").reshape(2, 2, 8)
        np.testing.assert_array_equal(found, np.stack([VALUES, VALUES[::-1]]).astype(BF16))


def test_layers_of_other_kinds(tmp_path: Path) -> None:
    arrays = affine() | {
        "b.weight": words("0102030405060708"),
        "b.scales": np.array([[1]], np.float32),
        "b.biases": np.array([[0]], np.float32),
    }
    said = {**EIGHTS, "b": {"group_size": 8, "bits": 8}}
    found = read(folder(tmp_path / "m", arrays, said), "b.weight")
    assert found.tolist() == [list(range(1, 9))]


@pytest.mark.parametrize(
    "change",
    [
        {"a.fc.scales": np.array([[1, 1], [1, 1]], BF16)},
        {"a.fc.scales": np.array([1, 1], BF16)},
        {"a.fc.scales": np.zeros((2, 0), BF16)},
        {"a.fc.scales": np.array(1, BF16)},
        {"a.fc.scales": np.array([[1]], BF16)},
        {"a.fc.biases": np.array([[1], [1]], np.float16)},
        {"a.fc.biases": None},
        {"a.fc.weight": words("21436587")},
        {"a.fc.weight": np.zeros(2, np.uint32)},
    ],
)
def test_parts_that_do_not_belong_together_are_damage(
    change: dict[str, Any], tmp_path: Path
) -> None:
    arrays = {name: array for name, array in (affine() | change).items() if array is not None}
    path = folder(tmp_path / "m", arrays, EIGHTS)
    with pytest.raises(FormatError) as caught:
        open_logical(path)
    assert str(path) in str(caught.value.where)


@pytest.mark.parametrize(
    "said", [{**EIGHTS, "bits": 3}, {**EIGHTS, "a.fc": False}, {**EIGHTS, "a.fc": {"bits": "4"}}]
)
def test_a_description_that_does_not_fit_is_damage(said: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        open_logical(folder(tmp_path / "m", affine(), said))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("part", ["scales", "biases"])
def test_figures_that_are_no_numbers_are_damage(part: str, value: float, tmp_path: Path) -> None:
    arrays = affine() | {f"a.fc.{part}": np.array([[1], [value]], BF16)}
    with pytest.raises(FormatError, match="NaN or infinity"):
        restore(folder(tmp_path / "m", arrays, EIGHTS), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ({**EIGHTS, "mode": "newer"}, {}),
        ({**EIGHTS, "mode": "nvfp4"}, {}),
        ({**EIGHTS, "bits": 9}, {}),
        (EIGHTS, {"a.fc.global_scale": np.ones(1, np.float32)}),
    ],
)
def test_what_is_not_decoded_is_shown_as_it_is_and_refused_by_name(
    said: dict[str, Any], more: Arrays, tmp_path: Path
) -> None:
    path = folder(tmp_path / "m", affine() | more, said)
    with open_logical(path) as reader:
        assert "a.fc.scales" in reader.infos
        assert any("mlx, and not decoded here" in note for note in reader.notes)
    with pytest.raises(UnsupportedError, match="mlx"):
        restore(path, tmp_path / "out")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    arrays: Arrays = {
        "0.fc1.weight": zoo.normal("BF16", (32, 128)),
        "0.fc2.weight": zoo.normal("F64", (16, 128)),
        "0.norm.weight": zoo.normal("F32", (128,)),
    }
    return zoo.checkpoint(tmp_path / "source", arrays, {"format": "pt"})


def compressed(source: Path, *passes: Mapping[str, Any], **settings: Any) -> Path:
    target = source.with_name("small")
    spec = from_config({"version": 1, "passes": list(passes), "output": {"layout": "mlx"}})
    compress(source, target, spec, Settings(**settings))
    return target


MLX4 = {"pass": "quantize", "preset": "MLX4"}


def test_what_is_written_comes_back_with_its_dtypes_config_and_errors(source: Path) -> None:
    small, plain = compressed(source, MLX4), source.with_name("plain")
    assert zoo.read(small).metadata["format"] == "mlx"
    restore(small, plain)
    before, after = (json.loads((one / "config.json").read_bytes()) for one in (source, plain))
    assert list(after.items()) == list(before.items())
    assert zoo.read(plain).codes == zoo.read(source).codes
    assert zoo.read(plain).metadata == {"format": "pt"}
    with open_logical(small) as reader:
        assert reader.errors.keys() == {"0.fc1.weight", "0.fc2.weight"}


def test_integers_come_back_as_the_very_values_that_they_were(source: Path) -> None:
    options = {"pass": "quantize", "bits": 4, "group_size": 32, "scale_dtype": "f32"}
    packed = source.with_name("packed")
    compress(source, packed, from_config({"version": 1, "passes": [options]}))
    restore(packed, one := source.with_name("one"))
    restore(compressed(source, options), other := source.with_name("other"))
    for name, array in zoo.read(one).arrays.items():
        assert zoo.same(array, zoo.read(other).arrays[name]), name


def test_integers_are_integers_again_and_other_biases_are_damage(source: Path) -> None:
    small = compressed(source, {"pass": "quantize", "bits": 4, "group_size": 32})
    with open_logical(small) as reader:
        assert str(reader.forms["0.fc1.weight"]) == "int4 g32"
    found = zoo.read(small)
    arrays = {**found.arrays, "0.fc1.biases": found.arrays["0.fc1.biases"] + BF16(1)}
    zoo.write(small / "model.safetensors", arrays, found.metadata)
    with pytest.raises(FormatError, match="recorded as symmetric, and its biases are not"):
        restore(small, source.with_name("plain"))


def test_quantizing_again_needs_to_be_asked_for(source: Path) -> None:
    small = compressed(source, {**MLX4, "preset": "MLX8"})
    spec = from_config({"version": 1, "passes": [MLX4]})
    again = source.with_name("again")
    with pytest.raises(UnsupportedError, match="already quantized: mlx") as caught:
        compress(small, again, spec)
    assert "--requantize" in str(caught.value.hint)
    report = compress(small, again, spec, Settings(requantize=True))
    assert report.layout == "mlx"
    assert {one.to for one in report.tensors if one.measured} == {"affine4 g64"}


def test_a_prune_alone_leaves_plain_weights_and_no_description(source: Path) -> None:
    small = compressed(source, {"pass": "prune", "sparsity": 0.5})
    assert "quantization" not in json.loads((small / "config.json").read_text(encoding="utf-8"))
    assert zoo.read(small).codes == zoo.read(source).codes
    restore(small, plain := source.with_name("plain"))
    assert zoo.read(plain).metadata == {"format": "pt"}
