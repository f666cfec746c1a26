"""FP8 blocks with ``weight_scale_inv``, whole and damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from compress_core import Settings, compress, diff, from_config, open_logical, restore
from compress_core.errors import FormatError, UnsupportedError
from tests.contracts import zoo

Arrays = dict[str, NDArray[Any]]
E4M3, E8M0, BF16 = (
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e8m0fnu,
    ml_dtypes.bfloat16,
)
CONFIG = {
    "quant_method": "fp8",
    "fmt": "e4m3",
    "activation_scheme": "dynamic",
    "weight_block_size": [128, 128],
    "modules_to_not_convert": ["lm_head"],
}


def put(path: Path, arrays: Arrays, said: Mapping[str, Any] | None = CONFIG) -> Path:
    """A checkpoint folder with what its ``quantization_config`` says."""
    zoo.checkpoint(path, {}, {})
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end, data = 0, b""
    for name, array in arrays.items():
        code = "F8_E8M0" if array.dtype == E8M0 else zoo.code_of(array)
        start, end, data = end, end + array.nbytes, data + array.tobytes()
        header[name] = {"dtype": code, "shape": array.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    (path / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    config: dict[str, Any] = {"model_type": "x", "torch_dtype": "bfloat16"}
    if said is not None:
        config["quantization_config"] = said
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return path


def codes(rows: int, columns: int) -> NDArray[Any]:
    values = np.random.default_rng(rows).standard_normal((rows, columns)) * 60
    return np.asarray(values.astype(np.float32).astype(E4M3))


def spread(scale: NDArray[Any], shape: tuple[int, int], block: tuple[int, int]) -> NDArray[Any]:
    """A scale for every element."""
    wide = np.asarray(scale, np.float32)
    return np.repeat(np.repeat(wide, block[0], 0), block[1], 1)[: shape[0], : shape[1]]


def layer(rows: int, columns: int, block: tuple[int, int] = (128, 128)) -> Arrays:
    grid = -(-rows // block[0]), -(-columns // block[1])
    scales = np.random.default_rng(1).uniform(1e-4, 2e-3, grid).astype(np.float32)
    return {"a.fc.weight": codes(rows, columns), "a.fc.weight_scale_inv": scales}


def read(path: Path, start: int = 0, stop: int | None = None) -> NDArray[Any]:
    with open_logical(path) as reader:
        info = reader.infos["a.fc.weight"]
        found = reader.read("a.fc.weight", start, info.matrix[0] if stop is None else stop)
        return found.view(zoo.CODES[info.dtype.code])


@pytest.mark.parametrize("shape", [(256, 384), (130, 200), (1, 1), (127, 129), (300, 64)])
@pytest.mark.parametrize("block", [(128, 128), (64, 32), (1, 32)])
def test_a_weight_is_its_codes_times_the_scale_of_their_block(
    shape: tuple[int, int], block: tuple[int, int], tmp_path: Path
) -> None:
    arrays = layer(*shape, block)
    path = put(tmp_path / "m", arrays, {**CONFIG, "weight_block_size": list(block)})
    scale = spread(arrays["a.fc.weight_scale_inv"], shape, block)
    wanted = (arrays["a.fc.weight"].astype(np.float32) * scale).astype(BF16)
    np.testing.assert_array_equal(read(path), wanted)
    cut = min(shape[0], 70)
    np.testing.assert_array_equal(read(path, cut // 2, cut), wanted[cut // 2 : cut])


@pytest.mark.parametrize("name", ["weight_scale_inv", "scale", "qscale_weight"])
@pytest.mark.parametrize("dtype", [E8M0, np.uint8])
def test_scales_that_are_powers_of_two(name: str, dtype: Any, tmp_path: Path) -> None:
    exponents = np.array([[118, 120], [0, 127]], np.uint8)
    arrays: Arrays = {"a.fc.weight": codes(130, 140), f"a.fc.{name}": exponents.view(dtype)}
    path = put(tmp_path / "m", arrays, {**CONFIG, "scale_fmt": "ue8m0"})
    scale = spread(exponents.view(E8M0).astype(np.float32), (130, 140), (128, 128))
    wanted = (arrays["a.fc.weight"].astype(np.float32) * scale).astype(BF16)
    np.testing.assert_array_equal(read(path), wanted)


@pytest.mark.parametrize("shape", [(), (1,)])
def test_one_scale_for_the_tensor(shape: tuple[int, ...], tmp_path: Path) -> None:
    arrays: Arrays = {
        "a.fc.weight": codes(9, 12),
        "a.fc.weight_scale_inv": np.full(shape, 0.25, np.float32),
        "a.fc.activation_scale": np.full(shape, 2, np.float32),
    }
    path = put(tmp_path / "m", arrays, {**CONFIG, "weight_block_size": None})
    np.testing.assert_array_equal(
        read(path), (arrays["a.fc.weight"].astype(np.float32) / 4).astype(BF16)
    )
    with open_logical(path) as reader:
        assert list(reader.infos) == ["a.fc.weight"]
        assert "1 scales of activations are left out" in reader.notes


def test_restore_and_diff_take_it_and_quantizing_needs_to_be_asked_for(tmp_path: Path) -> None:
    arrays = layer(130, 128) | {"lm_head.weight": zoo.normal("BF16", (8, 128))}
    path = put(tmp_path / "m", arrays)
    report = restore(path, tmp_path / "plain")
    assert report.totals.bytes_in == (path / "model.safetensors").stat().st_size
    found = load_file(tmp_path / "plain" / "model.safetensors")
    assert found["a.fc.weight"].dtype == BF16
    np.testing.assert_array_equal(found["a.fc.weight"], read(path))
    assert zoo.same(found["lm_head.weight"], arrays["lm_head.weight"])
    config = json.loads((tmp_path / "plain" / "config.json").read_text(encoding="utf-8"))
    assert config == {"model_type": "x", "torch_dtype": "bfloat16"}
    assert not diff(path, tmp_path / "plain").differs
    again = from_config({"version": 1, "passes": [{"pass": "quantize", "bits": 4}]})
    with pytest.raises(UnsupportedError, match="already quantized: fp8") as caught:
        compress(path, tmp_path / "again", again)
    assert "--requantize" in str(caught.value.hint)
    done = compress(path, tmp_path / "again", again, Settings(requantize=True))
    assert [one.to for one in done.tensors] == ["int4 channel", "int4 channel"]


def test_one_file_is_read_without_a_config(tmp_path: Path) -> None:
    path = put(tmp_path / "m", layer(130, 128)) / "model.safetensors"
    with open_logical(path) as reader:
        assert str(reader.forms["a.fc.weight"]) == "fp8 128x128"
        assert reader.infos["a.fc.weight"].dtype.code == "F32"  # of the scales


def _bytes(shape: tuple[int, int], pattern: int) -> NDArray[Any]:
    return np.full(shape, pattern, np.uint8).view(E4M3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"a.fc.weight_scale_inv": None}, "a.fc.weight_scale_inv is missing"),
        ({"a.fc.weight_scale_inv": np.ones((1, 1), np.float32)}, r"is F32 \[1, 1\]"),
        ({"a.fc.weight_scale_inv": np.ones((1, 2), np.float32)}, r"is F32 \[1, 2\]"),
        ({"a.fc.weight_scale_inv": np.ones((2, 1, 1), np.float32)}, r"is F32 \[2, 1, 1\]"),
        ({"a.fc.weight_scale_inv": np.ones((2, 1), np.int32)}, r"is I32 \[2, 1\]"),
        ({"a.fc.weight_scale_inv": np.ones(0, np.float32)}, r"is F32 \[0\]"),
        ({"a.fc.weight": np.ones((0, 4), E4M3)}, r"has the shape \[0, 4\]"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    change: Arrays, said: str, tmp_path: Path
) -> None:
    arrays = {name: part for name, part in (layer(130, 128) | change).items() if part is not None}
    path = put(tmp_path / "m", arrays)
    with pytest.raises(FormatError, match=said) as caught:
        open_logical(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "size", [4, [128], [0, 128], [128, "128"], [True, 128], {"a": 1}, [1e3, 1]]
)
def test_a_block_that_is_none_is_refused(size: Any, tmp_path: Path) -> None:
    path = put(tmp_path / "m", layer(130, 128), {**CONFIG, "weight_block_size": size})
    with pytest.raises(FormatError, match="weight_block_size of quantization_config"):
        open_logical(path)


@pytest.mark.parametrize(
    "change",
    [
        {"a.fc.weight_scale_inv": np.array([[np.nan], [1]], np.float32)},
        {"a.fc.weight_scale_inv": np.array([[1], [-np.inf]], np.float32)},
        {"a.fc.weight_scale_inv": np.array([[255], [1]], np.uint8)},
        {"a.fc.weight": _bytes((130, 128), 0x7F)},
    ],
)
def test_what_is_no_number_is_refused_and_nothing_is_written(
    change: Arrays, tmp_path: Path
) -> None:
    path = put(tmp_path / "m", layer(130, 128) | change)
    with pytest.raises(FormatError) as caught:
        restore(path, tmp_path / "out")
    assert str(path / "model.safetensors") in str(caught.value.where)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"a.fc.weight": np.ones((130, 64), np.int8)}, "a.fc.weight in I8"),
        ({"b.experts.gate_proj": np.ones((2, 4, 4), E4M3)}, "b.experts.gate_proj"),
        ({"b.fc.weight": codes(4, 4), "b.fc.weight_scale": np.ones(1, np.float32)}, "b.fc.weight_"),
    ],
)
def test_other_codes_are_refused_by_name(change: Arrays, said: str, tmp_path: Path) -> None:
    path = put(tmp_path / "m", layer(130, 128) | change)
    with open_logical(path) as reader:
        assert any(f"not decoded here: {said}" in note for note in reader.notes)
    with pytest.raises(UnsupportedError, match=f"not decoded here: fp8, {said}"):
        restore(path, tmp_path / "out")


@pytest.mark.parametrize("method", ["gptq", "compressed-tensors", None, 4])
def test_other_methods_are_none_of_it(method: Any, tmp_path: Path) -> None:
    path = put(tmp_path / "m", layer(130, 128), {"quant_method": method})
    with open_logical(path) as reader:
        assert "a.fc.weight_scale_inv" in reader.infos
