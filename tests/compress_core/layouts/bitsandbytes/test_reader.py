"""Weights of bitsandbytes, ours and those of other tools, whole and damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress_core import Settings, compress, from_config, open_logical, restore
from compress_core.errors import FormatError, UnsupportedError, UsageError
from compress_core.kernels.codebooks import NF4
from tests.contracts import zoo

Arrays = dict[str, NDArray[Any]]
STATE = "a.fc.weight.quant_state.bitsandbytes__nf4"
CONFIG = {"model_type": "x", "dtype": "float32"}
SAID = {**CONFIG, "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}


def state(**others: Any) -> NDArray[np.uint8]:
    said = {"quant_type": "nf4", "blocksize": 32, "dtype": "float32", "shape": [6, 24], **others}
    return np.frombuffer(json.dumps(said).encode(), np.uint8)


CODES = np.random.default_rng(1).integers(0, 16, 144).astype(np.uint8)
SCALES = np.array([1, 0.5, 2, 0.25, 3], np.float32)
# blocks of 32 elements: their borders lie inside of rows of 24
VALUES = (NF4[CODES] * np.repeat(SCALES, 32)[:144]).reshape(6, 24)


def stored() -> Arrays:
    return {
        "a.fc.weight": (CODES[0::2] << 4 | CODES[1::2]).reshape(-1, 1),
        "a.fc.weight.absmax": SCALES,
        "a.fc.weight.quant_map": NF4,
        STATE: state(),
        "a.fc.bias": np.array([1, 2], np.float32),
    }


def nested() -> Arrays:
    """Scales that are codes of a table, 4 with a scale of their own."""
    table = np.linspace(-1, 1, 256, dtype=np.float32)
    return stored() | {
        "a.fc.weight.absmax": np.array([0, 255, 100, 7, 200], np.uint8),
        "a.fc.weight.nested_absmax": np.array([0.5, 0.25], np.float32),
        "a.fc.weight.nested_quant_map": table,
        STATE: state(nested_blocksize=4, nested_dtype="float32", nested_offset=0.75),
    }


def folder(path: Path, arrays: Arrays, said: Mapping[str, Any] = SAID) -> Path:
    zoo.checkpoint(path, arrays, {"format": "pt"})
    (path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    return path


def read(path: Path, name: str = "a.fc.weight") -> NDArray[Any]:
    with open_logical(path) as reader:
        info = reader.infos[name]
        return reader.read(name, 0, info.matrix[0]).view(zoo.CODES[info.dtype.code])


def test_a_weight_stands_in_the_place_of_its_parts(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", stored())
    np.testing.assert_array_equal(read(path), VALUES)
    with open_logical(path) as reader:
        assert list(reader.infos) == ["a.fc.weight", "a.fc.bias"]
        assert {name: str(form) for name, form in reader.forms.items()} == {
            "a.fc.weight": "nf4 g32"
        }
        assert reader.config == CONFIG
        for start in range(6):
            rows = reader.read("a.fc.weight", start, 6)
            np.testing.assert_array_equal(rows, VALUES[start:])


def test_a_file_alone_says_enough(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(zoo.write(tmp_path / "m.safetensors", stored(), {})), VALUES)


def test_an_odd_number_of_columns_begins_rows_inside_of_bytes(tmp_path: Path) -> None:
    arrays = stored() | {STATE: state(shape=[48, 3])}
    path = folder(tmp_path / "m", arrays)
    np.testing.assert_array_equal(read(path), VALUES.reshape(48, 3))
    with open_logical(path) as reader:
        np.testing.assert_array_equal(
            reader.read("a.fc.weight", 5, 12), VALUES.reshape(48, 3)[5:12]
        )


def test_scales_that_are_codes_are_decoded(tmp_path: Path) -> None:
    arrays = nested()
    table = arrays["a.fc.weight.nested_quant_map"]
    of_scales = np.repeat(np.array([0.5, 0.25], np.float32), 4)[:5]
    scales = table[arrays["a.fc.weight.absmax"]] * of_scales + np.float32(0.75)
    expected = (NF4[CODES] * np.repeat(scales, 32)[:144]).reshape(6, 24)
    path = folder(tmp_path / "m", arrays)
    np.testing.assert_array_equal(read(path), expected)
    with open_logical(path) as reader:
        np.testing.assert_array_equal(reader.read("a.fc.weight", 4, 6), expected[4:])


def test_bytes_may_be_kept_as_other_numbers(tmp_path: Path) -> None:
    arrays = stored()
    arrays["a.fc.weight"] = arrays["a.fc.weight"].reshape(-1).view(np.float16).reshape(-1, 1)
    np.testing.assert_array_equal(read(folder(tmp_path / "m", arrays)), VALUES)


def test_bytes_of_eight_bits_are_parts_of_the_largest(tmp_path: Path) -> None:
    codes = np.array([[-127, 0, 64], [127, -1, 3]], np.int8)
    arrays: Arrays = {
        "a.fc.weight": codes,
        "a.fc.SCB": np.array([2, 0.5], np.float32),
        "a.fc.weight_format": np.array(0, np.uint8),
        "a.norm.weight": np.ones(3, np.float32),
    }
    path = folder(tmp_path / "m", arrays)
    scale = np.array([[2], [0.5]], np.float32) / np.float32(127)
    np.testing.assert_array_equal(read(path), codes.astype(np.float32) * scale)
    with open_logical(path) as reader:
        assert list(reader.infos) == ["a.fc.weight", "a.norm.weight"]
        assert {str(form) for form in reader.forms.values()} == {"int8 channel"}


@pytest.mark.parametrize(
    "change",
    [
        {"a.fc.weight.absmax": SCALES[:4]},
        {"a.fc.weight.absmax": SCALES.astype(np.float16)},
        {"a.fc.weight.quant_map": None},
        {"a.fc.weight.quant_map": NF4[:8]},
        {STATE: None},
        {STATE: state().astype(np.float16)},
        {STATE: np.zeros(5000, np.uint8)},
        {STATE: state(shape=[6, 25])},
        {STATE: state(nested_blocksize=4, nested_dtype="float32", nested_offset=0.75)},
        {"a.fc.weight.quant_state.bitsandbytes__fp4": state()},
        {"a.fc.weight": np.zeros((71, 1), np.uint8)},
    ],
)
def test_parts_that_do_not_belong_together_are_damage(
    change: dict[str, Any], tmp_path: Path
) -> None:
    arrays = {name: array for name, array in (stored() | change).items() if array is not None}
    path = folder(tmp_path / "m", arrays)
    with pytest.raises(FormatError) as caught:
        open_logical(path)
    assert str(path) in str(caught.value.where)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("absmax", np.nan),
        ("absmax", np.inf),
        ("nested_absmax", np.inf),
        ("nested_quant_map", np.nan),
    ],
)
def test_scales_that_are_no_numbers_are_damage(part: str, value: float, tmp_path: Path) -> None:
    arrays = nested() if "nested" in part else stored()
    arrays[f"a.fc.weight.{part}"] = np.full_like(arrays[f"a.fc.weight.{part}"], value)
    path = folder(tmp_path / "m", arrays)
    with pytest.raises(FormatError, match="NaN or infinity"):
        restore(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change",
    [
        {
            STATE: None,
            "a.fc.weight.quant_state.bitsandbytes__fp4": state(quant_type="fp4"),
        },
        {"a.fc.weight.quant_map": NF4[::-1].copy()},
    ],
)
def test_what_is_not_decoded_is_shown_as_it_is_and_refused_by_name(
    change: dict[str, Any], tmp_path: Path
) -> None:
    arrays = {name: array for name, array in (stored() | change).items() if array is not None}
    path = folder(tmp_path / "m", arrays)
    with open_logical(path) as reader:
        assert "a.fc.weight.absmax" in reader.infos
        assert any("not decoded here" in note for note in reader.notes)
    with pytest.raises(UnsupportedError, match="bitsandbytes"):
        restore(path, tmp_path / "out")


@pytest.mark.parametrize(
    "change",
    [
        {"a.fc.weight": np.zeros((2, 3), np.float32)},
        {"a.fc.weight_format": np.array(1, np.uint8)},
        {"a.fc.weight_format": np.array([0, 0], np.uint8)},
    ],
)
def test_eight_bits_in_another_order_are_not_decoded(
    change: dict[str, Any], tmp_path: Path
) -> None:
    arrays: Arrays = {
        "a.fc.weight": np.zeros((2, 3), np.int8),
        "a.fc.SCB": np.ones(2, np.float32),
    }
    with open_logical(folder(tmp_path / "m", arrays | change)) as reader:
        assert any("not decoded here" in note for note in reader.notes)


def test_weights_of_another_method_are_left_to_it(tmp_path: Path) -> None:
    said = {"quantization_config": {"quant_method": "gptq"}}
    with open_logical(folder(tmp_path / "m", stored(), said)) as reader:
        assert "a.fc.weight.absmax" in reader.infos


@pytest.fixture
def source(tmp_path: Path) -> Path:
    arrays: Arrays = {
        "0.fc1.weight": zoo.normal("BF16", (32, 128)),
        "0.fc2.weight": zoo.normal("F64", (16, 64)),
        "0.odd.weight": zoo.normal("F32", (16, 96)),
        "0.norm.weight": zoo.normal("F32", (128,)),
    }
    return zoo.checkpoint(tmp_path / "source", arrays, {"format": "pt"})


NF4_PASS = {"pass": "quantize", "preset": "NF4"}


def test_what_is_written_comes_back_with_its_dtypes_config_and_errors(source: Path) -> None:
    small, plain = source.with_name("small"), source.with_name("plain")
    report = compress(source, small, from_config({"version": 1, "passes": [NF4_PASS]}))
    assert report.layout == "bitsandbytes"
    restore(small, plain)
    before, after = (json.loads((one / "config.json").read_bytes()) for one in (source, plain))
    assert list(after.items()) == list(before.items())
    assert zoo.read(plain).codes == zoo.read(source).codes
    assert zoo.read(plain).metadata == {"format": "pt"}
    with open_logical(small) as reader:
        assert reader.errors.keys() == {"0.fc1.weight", "0.fc2.weight"}
    said = json.loads((small / "config.json").read_text(encoding="utf-8"))
    assert said["quantization_config"]["llm_int8_skip_modules"] == ["0.odd"]


def test_scales_that_are_codes_are_written_and_read(tmp_path: Path) -> None:
    # 270 blocks: the last of 256 is not full, and rows part them
    arrays: Arrays = {"0.fc1.weight": zoo.normal("BF16", (90, 192))}
    source = zoo.checkpoint(tmp_path / "source", arrays, {})
    small, packed = tmp_path / "small", tmp_path / "packed"
    passes = [{**NF4_PASS, "double_quant": True}]
    report = compress(source, small, from_config({"version": 1, "passes": passes}))
    assert report.layout == "bitsandbytes"
    output = {"layout": "packed"}
    compress(source, packed, from_config({"version": 1, "passes": passes, "output": output}))
    found = zoo.read(small).arrays
    assert found["0.fc1.weight.absmax"].dtype == np.uint8
    assert found["0.fc1.weight.absmax"].shape == (270,)
    assert found["0.fc1.weight.nested_absmax"].shape == (2,)
    said = json.loads((small / "config.json").read_text(encoding="utf-8"))
    assert said["quantization_config"]["bnb_4bit_use_double_quant"] is True
    with open_logical(small) as one, open_logical(packed) as other:
        assert {str(form) for form in one.forms.values()} == {"nf4 g64 dq"}
        rows = one.read("0.fc1.weight", 0, 90)
        np.testing.assert_array_equal(rows, other.read("0.fc1.weight", 0, 90))
        np.testing.assert_array_equal(one.read("0.fc1.weight", 80, 88), rows[80:88])


def test_no_scale_is_below_zero(source: Path) -> None:
    small = source.with_name("small")
    compress(source, small, from_config({"version": 1, "passes": [NF4_PASS]}))
    assert (zoo.read(small).arrays["0.fc1.weight.absmax"] > 0).all()


def test_quantizing_again_needs_to_be_asked_for(source: Path) -> None:
    small, again = source.with_name("small"), source.with_name("again")
    compress(source, small, from_config({"version": 1, "passes": [NF4_PASS]}))
    spec = from_config({"version": 1, "passes": [{"pass": "quantize", "preset": "W8A16"}]})
    with pytest.raises(UnsupportedError, match="already quantized: bitsandbytes"):
        compress(small, again, spec)
    report = compress(small, again, spec, Settings(requantize=True))
    assert report.layout == "compressed-tensors"
    said = json.loads((again / "config.json").read_text(encoding="utf-8"))
    assert said["quantization_config"]["quant_method"] == "compressed-tensors"


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "W4A16"},
        {"preset": "NF4", "group_size": 16},
        {"preset": "NF4", "scale_dtype": "f16"},
        {"preset": "NF4", "group_size": "channel"},
    ],
)
def test_what_it_does_not_hold_is_refused_before_anything_is_written(
    options: dict[str, Any], source: Path
) -> None:
    passes = [{"pass": "quantize", **options}]
    output = {"layout": "bitsandbytes"}
    with pytest.raises(UsageError, match="bitsandbytes") as caught:
        compress(
            source,
            source.with_name("small"),
            from_config({"version": 1, "passes": passes, "output": output}),
        )
    assert caught.value.hint
    assert not source.with_name("small").exists()
