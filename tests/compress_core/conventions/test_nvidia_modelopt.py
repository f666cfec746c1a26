"""Unified checkpoints of NVIDIA's Model Optimizer, made by hand: no library of theirs is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from compress_core import Settings, compress, from_config, open_logical, restore
from compress_core.errors import FormatError, UnsupportedError
from tests.contracts import zoo

Arrays = dict[str, NDArray[Any]]
E4M3, E2M1, E8M0, BF16 = (
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float4_e2m1fn,
    ml_dtypes.float8_e8m0fnu,
    ml_dtypes.bfloat16,
)
ROWS, COLUMNS = 130, 160


def put(
    path: Path,
    arrays: Arrays,
    algorithm: Any = "FP8",
    *,
    beside: bool = False,
    **others: Any,
) -> Path:
    """A checkpoint folder; what it is says its config, or (``beside``) a file beside that."""
    zoo.checkpoint(path, arrays, {"format": "pt"})
    config: dict[str, Any] = {"model_type": "x", "torch_dtype": "bfloat16"}
    producer = {"name": "modelopt", "version": "0.47.0"}
    said = {"quant_algo": algorithm, "kv_cache_quant_algo": None, **others}
    if beside:
        whole = {"producer": producer, "quantization": {**said, "exclude_modules": ["lm_head"]}}
        (path / "hf_quant_config.json").write_text(json.dumps(whole), encoding="utf-8")
    else:
        config["quantization_config"] = {"quant_method": "modelopt", "producer": producer, **said}
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


def bytes_of_floats() -> NDArray[Any]:
    values = np.random.default_rng(2).standard_normal((ROWS, COLUMNS)) * 60
    return np.asarray(values.astype(np.float32).astype(E4M3))


def fp8(scale: NDArray[Any]) -> Arrays:
    return {
        "a.fc.weight": bytes_of_floats(),
        "a.fc.weight_scale": scale,
        "a.fc.input_scale": np.array(0.5, np.float32),
    }


def nvfp4() -> Arrays:
    rng = np.random.default_rng(3)
    return {
        "a.fc.weight": rng.integers(0, 256, (ROWS, COLUMNS // 2), np.uint8),
        "a.fc.weight_scale": rng.uniform(1, 448, (ROWS, COLUMNS // 16)).astype(E4M3),
        "a.fc.weight_scale_2": np.array(0.0123, np.float32),
        "a.fc.input_scale": np.array(0.5, np.float32),
    }


def decoded_nvfp4(arrays: Arrays) -> NDArray[Any]:
    """Half bytes as E2M1 numbers, the low half first, times the product of both scales."""
    pairs = arrays["a.fc.weight"]
    halves = np.stack([pairs & 15, pairs >> 4], axis=-1).reshape(ROWS, COLUMNS)
    numbers = halves.view(E2M1).astype(np.float32)
    scale = arrays["a.fc.weight_scale"].astype(np.float32) * arrays["a.fc.weight_scale_2"]
    return np.asarray((numbers * np.repeat(scale, 16, axis=1)).astype(BF16))


def read(path: Path, start: int = 0, stop: int = ROWS) -> NDArray[Any]:
    with open_logical(path) as reader:
        return reader.read("a.fc.weight", start, stop).view(BF16)


BLOCKS = np.random.default_rng(4).uniform(1e-4, 1e-2, (2, 2)).astype(np.float32)
CHANNELS = np.random.default_rng(5).uniform(1e-4, 1e-2, ROWS).astype(np.float32)
BYTES = np.random.default_rng(6).integers(110, 127, (ROWS, COLUMNS // 32)).astype(np.uint8)
SCALES: dict[str, list[NDArray[Any]]] = {
    "FP8": [np.array(0.01, np.float32), np.array([0.01], np.float32)],
    "FP8_PER_CHANNEL_PER_TOKEN": [CHANNELS, CHANNELS[:, None]],
    "FP8_PB_WO": [BLOCKS, BLOCKS[:, None, :, None]],
    "MXFP8": [BYTES],
}


SPREAD: dict[str, NDArray[Any]] = {
    "FP8": np.full((ROWS, COLUMNS), np.float32(0.01)),
    "FP8_PER_CHANNEL_PER_TOKEN": np.repeat(CHANNELS[:, None], COLUMNS, 1),
    "FP8_PB_WO": np.repeat(np.repeat(BLOCKS, 128, 0), 128, 1)[:ROWS, :COLUMNS],
    "MXFP8": np.repeat(BYTES.view(E8M0).astype(np.float32), 32, 1),
}
"""A scale for every element."""


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize(
    ("algorithm", "index"), [(name, n) for name, all_ in SCALES.items() for n in range(len(all_))]
)
def test_8_bit_floats_times_their_scales(
    algorithm: str, index: int, beside: bool, tmp_path: Path
) -> None:
    arrays = fp8(SCALES[algorithm][index])
    path = put(tmp_path / "m", arrays, algorithm, beside=beside)
    wanted = (arrays["a.fc.weight"].astype(np.float32) * SPREAD[algorithm]).astype(BF16)
    np.testing.assert_array_equal(read(path), wanted)
    np.testing.assert_array_equal(read(path, 3, 129), wanted[3:129])
    with open_logical(path) as reader:
        assert list(reader.infos) == ["a.fc.weight"]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("algorithm", ["NVFP4", "W4A16_NVFP4", "MIXED_PRECISION", None])
def test_nvfp4_multiplies_both_scales(algorithm: Any, beside: bool, tmp_path: Path) -> None:
    arrays = nvfp4()
    path = put(tmp_path / "m", arrays, algorithm, beside=beside, group_size=16)
    np.testing.assert_array_equal(read(path), decoded_nvfp4(arrays))
    np.testing.assert_array_equal(read(path, 7, 40), decoded_nvfp4(arrays)[7:40])
    with open_logical(path) as reader:
        assert str(reader.forms["a.fc.weight"]) == "nvfp4 g16"


def test_layers_of_one_checkpoint_may_differ(tmp_path: Path) -> None:
    others = {name.replace("a.", "b."): part for name, part in fp8(CHANNELS).items()}
    plain = {"lm_head.weight": zoo.normal("BF16", (4, 8)), "b.k_scale": np.array(1, np.float32)}
    path = put(tmp_path / "m", nvfp4() | others | plain, "MIXED_PRECISION", beside=True)
    with open_logical(path) as reader:
        assert list(reader.infos) == ["a.fc.weight", "b.fc.weight", "lm_head.weight"]
        assert {name: str(form) for name, form in reader.forms.items()} == {
            "a.fc.weight": "nvfp4 g16",
            "b.fc.weight": "fp8 channel",
        }
        assert "3 scales of activations are left out" in reader.notes


def test_one_file_of_nvfp4_is_read_without_a_config(tmp_path: Path) -> None:
    path = put(tmp_path / "m", nvfp4()) / "model.safetensors"
    with open_logical(path) as reader:
        assert str(reader.forms["a.fc.weight"]) == "nvfp4 g16"


@pytest.mark.parametrize("beside", [False, True])
def test_restore_leaves_nothing_that_speaks_of_codes(beside: bool, tmp_path: Path) -> None:
    path = put(tmp_path / "m", nvfp4(), "NVFP4", beside=beside)
    (path / "tokenizer.json").write_text("{}", encoding="utf-8")
    report = restore(path, tmp_path / "plain")
    assert sorted(file.name for file in (tmp_path / "plain").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    config = json.loads((tmp_path / "plain" / "config.json").read_text(encoding="utf-8"))
    assert config == {"model_type": "x", "torch_dtype": "bfloat16"}
    assert ("not copied: hf_quant_config.json" in report.notes) == beside
    found = load_file(tmp_path / "plain" / "model.safetensors")["a.fc.weight"]
    np.testing.assert_array_equal(found, decoded_nvfp4(nvfp4()))


def test_quantizing_again_needs_to_be_asked_for(tmp_path: Path) -> None:
    path = put(tmp_path / "m", nvfp4(), "NVFP4", beside=True)
    again = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 3}]})
    with pytest.raises(UnsupportedError, match="already quantized") as caught:
        compress(path, tmp_path / "again", again)
    assert "--requantize" in str(caught.value.hint)
    done = compress(path, tmp_path / "again", again, Settings(requantize=True))
    assert [one.to for one in done.tensors] == ["int3 channel"]
    assert not (tmp_path / "again" / "hf_quant_config.json").exists()


@pytest.mark.parametrize("algorithm", ["W4A16_AWQ", "W4A8_AWQ", "NVFP4_AWQ", "INT8_SQ", 8])
@pytest.mark.parametrize("beside", [False, True])
def test_other_algorithms_are_refused_by_name(algorithm: Any, beside: bool, tmp_path: Path) -> None:
    path = put(tmp_path / "m", nvfp4(), algorithm, beside=beside)
    with open_logical(path) as reader:
        assert any(f"not decoded here: quant_algo {algorithm}" in note for note in reader.notes)
    with pytest.raises(UnsupportedError, match=f"modelopt.*, quant_algo {algorithm}"):
        restore(path, tmp_path / "out")


@pytest.mark.parametrize(
    "change",
    [
        {"a.fc.pre_quant_scale": np.ones(COLUMNS, np.float32)},
        {"a.fc.weight_scale_2": None},
        {"b.weight": np.ones((2, 4, 4), E4M3)},
    ],
)
def test_other_codes_are_not_decoded(change: Arrays, tmp_path: Path) -> None:
    arrays = {name: part for name, part in (nvfp4() | change).items() if part is not None}
    path = put(tmp_path / "m", arrays, "NVFP4")
    with open_logical(path) as reader:
        assert any("nvidia-modelopt, and not decoded here" in note for note in reader.notes)
    with pytest.raises(UnsupportedError, match="modelopt"):
        restore(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (fp8(CHANNELS[1:]), r"weight_scale is F32 \[129\]"),
        (fp8(BLOCKS[:1]), r"weight_scale is F32 \[1, 2\]"),
        (fp8(BLOCKS[:, None]), r"weight_scale is F32 \[2, 1, 2\]"),
        (fp8(BYTES[:, 1:]), r"weight_scale is U8 \[130, 4\]"),
        (fp8(CHANNELS.astype(np.int32)), r"weight_scale is I32 \[130\]"),
        (fp8(np.ones(0, np.float32)), r"weight_scale is F32 \[0\]"),
        ({"a.fc.weight": bytes_of_floats()}, "weight_scale is missing"),
        (nvfp4() | {"a.fc.weight_scale": np.ones((ROWS, 9), E4M3)}, r"is F8_E4M3 \[130, 9\]"),
        (nvfp4() | {"a.fc.weight_scale": np.ones((ROWS, 10), np.float32)}, r"is F32 \[130, 10\]"),
        (nvfp4() | {"a.fc.weight_scale_2": np.ones(2, np.float32)}, r"scale_2 is F32 \[2\]"),
        (nvfp4() | {"a.fc.weight_scale_2": np.ones(1, np.float16)}, r"scale_2 is F16 \[1\]"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    arrays: Arrays, said: str, tmp_path: Path
) -> None:
    path = put(tmp_path / "m", arrays, "MIXED_PRECISION")
    with pytest.raises(FormatError, match=said) as caught:
        open_logical(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "arrays",
    [
        fp8(np.array(np.nan, np.float32)),
        fp8(np.where(np.arange(ROWS) == 7, np.inf, CHANNELS).astype(np.float32)),
        fp8(np.where(BYTES[9, 1] == BYTES, 255, BYTES).astype(np.uint8)),
        fp8(CHANNELS) | {"a.fc.weight": np.full((ROWS, COLUMNS), 0xFF, np.uint8).view(E4M3)},
        nvfp4() | {"a.fc.weight_scale": np.full((ROWS, 10), 0x7F, np.uint8).view(E4M3)},
        nvfp4() | {"a.fc.weight_scale_2": np.array(np.nan, np.float32)},
        nvfp4() | {"a.fc.weight_scale_2": np.array(-1, np.float32)},
    ],
)
def test_what_is_no_number_is_refused_and_nothing_is_written(
    arrays: Arrays, tmp_path: Path
) -> None:
    path = put(tmp_path / "m", arrays, "MIXED_PRECISION")
    with pytest.raises(FormatError) as caught:
        restore(path, tmp_path / "out")
    assert str(path / "model.safetensors") in str(caught.value.where)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"quantization": 4}', b"\xff", b'{"a":NaN}'])
def test_a_description_that_cannot_be_read_says_nothing(text: bytes, tmp_path: Path) -> None:
    path = put(tmp_path / "m", fp8(CHANNELS), beside=True)
    (path / "hf_quant_config.json").write_bytes(text)
    with open_logical(path) as reader:
        assert "a.fc.weight_scale" in reader.infos


def test_other_tools_are_none_of_it(tmp_path: Path) -> None:
    path = put(tmp_path / "m", fp8(CHANNELS))
    said = {"quantization_config": {"quant_method": "fbgemm_fp8"}}
    (path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    with open_logical(path) as reader:
        assert "a.fc.weight_scale" in reader.infos
