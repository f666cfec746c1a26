"""Folders in the container of GPTQ, ours and those of other tools, whole and damaged."""

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
from tests.contracts import zoo

Arrays = dict[str, NDArray[Any]]
ROWS, COLUMNS, GROUP = 16, 32, 8


def config(**others: Any) -> dict[str, Any]:
    said = {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "sym": False, **others}
    return {"model_type": "x", "dtype": "float32", "quantization_config": said}


def packed(codes: NDArray[np.uint8], bits: int) -> NDArray[np.int32]:
    """Codes (n, m) as words (n / codes of a word, m), by arithmetic that is not the tool's."""
    each = 32 // bits
    words = np.zeros((len(codes) // each, codes.shape[1]), np.uint32)
    for index, row in enumerate(codes.astype(np.uint32)):
        words[index // each] |= row << np.uint32(bits * (index % each))
    return words.view(np.int32)


class Stored:
    """A layer as GPTQ stores it, and its weight.

    :param less: what zero points are stored less than they are.
    """

    def __init__(self, bits: int = 4, less: int = 1, *, shuffled: bool = False) -> None:
        rng = np.random.default_rng(bits)
        top, groups = 1 << bits, COLUMNS // GROUP
        codes = rng.integers(0, top, (COLUMNS, ROWS)).astype(np.uint8)
        zeros = rng.integers(1, top, (groups, ROWS)).astype(np.uint8)
        scales = rng.standard_normal((groups, ROWS)).astype(np.float16)
        groups_of = np.arange(COLUMNS) // GROUP
        if shuffled:
            rng.shuffle(groups_of)
        steps = codes.astype(np.int32) - zeros[groups_of]
        self.weight = (steps * scales[groups_of].astype(np.float32)).T.astype(np.float32)
        self.arrays: Arrays = {
            "0.fc.qweight": packed(codes, bits),
            "0.fc.qzeros": packed((zeros - less).T, bits).T.copy(),
            "0.fc.scales": scales,
            "0.fc.g_idx": groups_of.astype(np.int32),
            "0.fc.bias": np.array([1, 2], np.float32),
        }


def folder(path: Path, arrays: Arrays, said: Mapping[str, Any]) -> Path:
    zoo.checkpoint(path, arrays, {"format": "pt"})
    (path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    return path


def read(path: Path, start: int = 0, stop: int = ROWS) -> NDArray[Any]:
    with open_logical(path) as reader:
        return reader.read("0.fc.weight", start, stop)


def test_a_weight_stands_in_the_place_of_its_parts(tmp_path: Path) -> None:
    stored = Stored()
    path = folder(tmp_path / "m", stored.arrays, config())
    np.testing.assert_array_equal(read(path), stored.weight)
    with open_logical(path) as reader:
        assert list(reader.infos) == ["0.fc.weight", "0.fc.bias"]
        assert {str(form) for form in reader.forms.values()} == {"int4 g8 asym"}
        assert reader.config == {"model_type": "x", "dtype": "float32"}
    for start, stop in ((0, 1), (3, 9), (7, 8), (8, 16), (15, 16), (4, 4)):
        np.testing.assert_array_equal(read(path, start, stop), stored.weight[start:stop])


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("named", ["checkpoint_format", "format"])
@pytest.mark.parametrize(("version", "less"), [("gptq", 1), ("gptq_v2", 0)])
def test_every_width_and_version_is_read(
    version: str, less: int, named: str, bits: int, tmp_path: Path
) -> None:
    stored = Stored(bits, less)
    said = config(bits=bits, **{named: version})
    np.testing.assert_array_equal(read(folder(tmp_path / "m", stored.arrays, said)), stored.weight)


def test_columns_in_an_order_of_their_own_name_their_groups(tmp_path: Path) -> None:
    stored = Stored(shuffled=True)
    path = folder(tmp_path / "m", stored.arrays, config(desc_act=True))
    np.testing.assert_array_equal(read(path), stored.weight)
    np.testing.assert_array_equal(read(path, 5, 6), stored.weight[5:6])
    with open_logical(path) as reader:
        assert {str(form) for form in reader.forms.values()} == {"int4 g8 asym"}


def test_another_description_of_codes_does_not_go_along_with_plain_weights(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", Stored().arrays, config())
    for name in ("quantize_config.json", "tokenizer.json"):
        (path / name).write_text("{}", encoding="utf-8")
    report = restore(path, tmp_path / "out")
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert any("quantize_config.json" in note for note in report.notes)


def test_without_an_order_groups_need_not_be_named(tmp_path: Path) -> None:
    stored = Stored()
    del stored.arrays["0.fc.g_idx"]
    path = folder(tmp_path / "m", stored.arrays, config())
    np.testing.assert_array_equal(read(path), stored.weight)


def test_a_scale_a_row_has_the_size_minus_one(tmp_path: Path) -> None:
    stored = Stored()
    stored.arrays |= {
        "0.fc.qzeros": stored.arrays["0.fc.qzeros"][:1].copy(),
        "0.fc.scales": np.ones((1, ROWS), np.float16),
        "0.fc.g_idx": np.zeros(COLUMNS, np.int32),
    }
    with open_logical(folder(tmp_path / "m", stored.arrays, config(group_size=-1))) as reader:
        assert {str(form) for form in reader.forms.values()} == {"int4 channel asym"}
        assert reader.read("0.fc.weight", 0, ROWS).shape == (ROWS, COLUMNS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"0.fc.scales": None}, {}),
        ({"0.fc.qzeros": None}, {}),
        ({"0.fc.g_idx": None}, {"desc_act": True}),
        ({"0.fc.g_idx": np.zeros(COLUMNS - 1, np.int32)}, {}),
        ({"0.fc.qweight": np.zeros((4, 8), np.int32)}, {}),
        ({"0.fc.qweight": np.zeros((4, 0), np.int32)}, {}),
        ({"0.fc.qweight": np.zeros(4, np.int32)}, {}),
        ({"0.fc.qweight": np.zeros((4, ROWS), np.int64)}, {}),
        ({"0.fc.weight": np.zeros((ROWS, COLUMNS), np.float32)}, {}),
        ({}, {"group_size": 16}),
        ({}, {"group_size": 0}),
        ({}, {"group_size": "128"}),
        ({}, {"bits": "4"}),
        ({}, {"sym": None}),
        ({}, {"desc_act": 1}),
    ],
)
def test_what_does_not_belong_together_is_damage(
    change: dict[str, Any], said: dict[str, Any], tmp_path: Path
) -> None:
    arrays = {name: one for name, one in (Stored().arrays | change).items() if one is not None}
    path = folder(tmp_path / "m", arrays, config(**said))
    with pytest.raises(FormatError) as caught:
        open_logical(path)
    assert str(path) in str(caught.value.where)


@pytest.mark.parametrize(
    ("change", "said", "match"),
    [
        ({"0.fc.scales": np.full((4, ROWS), np.nan, np.float16)}, {}, "NaN or infinity"),
        ({"0.fc.g_idx": np.zeros(COLUMNS, np.int32)}, {}, "other groups"),
        ({"0.fc.g_idx": np.full(COLUMNS, 4, np.int32)}, {"desc_act": True}, "not there"),
        ({"0.fc.g_idx": np.full(COLUMNS, -1, np.int32)}, {"desc_act": True}, "not there"),
        ({}, {"sym": True}, "symmetric"),
    ],
)
def test_figures_that_say_something_else_are_damage(
    change: dict[str, Any], said: dict[str, Any], match: str, tmp_path: Path
) -> None:
    path = folder(tmp_path / "m", Stored().arrays | change, config(**said))
    with pytest.raises(FormatError, match=match):
        restore(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "said",
    [
        {"bits": 3},
        {"checkpoint_format": "marlin"},
        {"format": ["gptq"]},
        {"dynamic": {"-:.*": {}}},
    ],
)
def test_what_is_not_decoded_is_shown_as_it_is_and_refused_by_name(
    said: dict[str, Any], tmp_path: Path
) -> None:
    path = folder(tmp_path / "m", Stored().arrays, config(**said))
    with open_logical(path) as reader:
        assert "0.fc.qweight" in reader.infos
        assert any("not decoded here" in note for note in reader.notes)
    with pytest.raises(UnsupportedError, match="gptq"):
        restore(path, tmp_path / "out")


def test_weights_of_another_method_are_left_to_it(tmp_path: Path) -> None:
    path = folder(tmp_path / "m", Stored().arrays, config(quant_method="awq"))
    with open_logical(path) as reader:
        assert "0.fc.qweight" in reader.infos


@pytest.fixture
def source(tmp_path: Path) -> Path:
    arrays: Arrays = {
        "0.fc1.weight": zoo.normal("BF16", (200, 512)),
        "0.fc2.weight": zoo.normal("F64", (16, 128)),
        "0.odd.weight": zoo.normal("F32", (16, 96)),
        "0.norm.weight": zoo.normal("F32", (128,)),
    }
    return zoo.checkpoint(tmp_path / "source", arrays, {"format": "pt"})


def compressed(source: Path, name: str = "small", **options: Any) -> Path:
    passes = [{"pass": "quantize", "preset": "W4A16", **options}]
    spec = from_config({"version": 1, "passes": passes, "output": {"layout": "gptq"}})
    compress(source, source.with_name(name), spec)
    return source.with_name(name)


def test_what_is_written_comes_back_with_its_dtypes_config_and_errors(source: Path) -> None:
    small, plain = compressed(source), source.with_name("plain")
    restore(small, plain)
    before, after = (json.loads((one / "config.json").read_bytes()) for one in (source, plain))
    assert list(after.items()) == list(before.items())
    assert zoo.read(plain).codes == zoo.read(source).codes
    assert zoo.read(plain).metadata == {"format": "pt"}
    with open_logical(small) as reader:
        assert reader.errors.keys() == {"0.fc1.weight", "0.fc2.weight"}


def test_words_are_those_of_codes_in_any_other_container(source: Path) -> None:
    small, plain = compressed(source, scale_search="none"), source.with_name("plain")
    restore(small, plain)
    found = zoo.read(small).arrays
    scales = np.repeat(found["0.fc1.scales"].astype(np.float32), 128, axis=0)
    codes = np.rint(zoo.read(plain).arrays["0.fc1.weight"].astype(np.float32).T / scales) + 8
    np.testing.assert_array_equal(found["0.fc1.qweight"], packed(codes.astype(np.uint8), 4))


def test_scales_beyond_16_bits_are_an_error_that_names_the_tensor(tmp_path: Path) -> None:
    arrays: Arrays = {"0.fc1.weight": zoo.normal("F32", (32, 128), scale=1e7)}
    source = zoo.checkpoint(tmp_path / "source", arrays, {})
    with pytest.raises(UnsupportedError, match=r"tensor 0\.fc1\.weight") as caught:
        compressed(source)
    assert caught.value.hint
    assert not (tmp_path / "small").exists()


def test_quantizing_again_needs_to_be_asked_for(source: Path) -> None:
    small, again = compressed(source), source.with_name("again")
    spec = from_config({"version": 1, "passes": [{"pass": "quantize", "preset": "NF4"}]})
    with pytest.raises(UnsupportedError, match="already quantized: gptq"):
        compress(small, again, spec)
    report = compress(small, again, spec, Settings(requantize=True))
    assert report.layout == "bitsandbytes"


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "NF4"},
        {"preset": "W3A16"},
        {"preset": "W4A16_ASYM"},
        {"preset": "W8A8"},
        {"group_size": 16},
        {"group_size": "channel"},
        {"group_size": "tensor"},
        {"scale_dtype": "bf16"},
        {"rules": [{"match": ["*fc2"], "preset": "W8A16"}]},
    ],
)
def test_what_it_does_not_hold_is_refused_before_anything_is_written(
    options: dict[str, Any], source: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        compressed(source, **options)
    assert caught.value.hint
    assert not source.with_name("small").exists()
