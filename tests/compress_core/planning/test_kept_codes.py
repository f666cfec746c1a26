"""Codes that go from one layout to another as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compress_core import Settings, compress, from_config, open_logical, restore
from compress_core.errors import UsageError
from compress_core.report import Report
from tests.contracts import zoo

SERVERS = "compressed-tensors"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    arrays: zoo.Arrays = {
        "0.fc1.weight": zoo.normal("BF16", (128, 128)),
        "0.fc2.weight": zoo.normal("F32", (16, 256)),
        "0.fc1.bias": zoo.normal("BF16", (16,)),
        "0.odd.weight": zoo.normal("F16", (8, 20)),
    }
    return zoo.checkpoint(tmp_path / "source", arrays, {"format": "pt"})


def quantized(source: Path, layout: str, **options: Any) -> Path:
    target = source.with_name(f"{layout} first")
    output = {"layout": layout, "allow_unread": True}
    passes = [{"pass": "quantize", **options}]
    compress(source, target, from_config({"version": 1, "passes": passes, "output": output}))
    return target


def stored_anew(folder: Path, layout: str) -> tuple[Path, Report]:
    target = folder.with_name(f"{folder.name} {layout}")
    output = {"layout": layout, "allow_unread": True}
    spec = from_config({"version": 1, "output": output})
    return target, compress(folder, target, spec, Settings(requantize=True))


def plain(folder: Path) -> zoo.Arrays:
    target = folder.with_name(f"{folder.name} plain")
    restore(folder, target)
    return zoo.read(target).arrays


def check_same_values(one: Path, other: Path) -> None:
    wanted, found = plain(one), plain(other)
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert zoo.same(found[name], array), name


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "W4A16", "group_size": 64},
        {"preset": "W8A16"},
        {"preset": "W3A16", "group_size": 32},
        {"preset": "MXFP4A16"},
        {"preset": "W4A16", "rules": [{"match": ["*.fc2"], "preset": "MXFP4A16"}]},
    ],
    ids=str,
)
def test_from_compressed_tensors_to_mlx_and_back_no_value_changes(
    options: dict[str, Any], source: Path
) -> None:
    first = quantized(source, SERVERS, **options)
    apple, report = stored_anew(first, "mlx")
    with open_logical(first) as reader:
        recorded = reader.errors
    assert recorded
    assert {one.name: one.measured for one in report.tensors if one.name in recorded} == recorded
    check_same_values(first, apple)
    back, _ = stored_anew(apple, SERVERS)
    before, after = zoo.read(first), zoo.read(back)
    assert list(after.arrays) == list(before.arrays)
    assert all(zoo.same(after.arrays[name], array) for name, array in before.arrays.items())
    assert (back / "config.json").read_bytes() == (first / "config.json").read_bytes()


def test_floats_without_a_global_scale_get_one_of_1(source: Path) -> None:
    first = quantized(source, "mlx", preset="NVFP4A16")
    served, _ = stored_anew(first, SERVERS)
    assert zoo.read(served).arrays["0.fc1.weight_global_scale"].tolist() == [1.0]
    check_same_values(first, served)


@pytest.mark.parametrize("layout", [SERVERS, "mlx"])
@pytest.mark.parametrize("preset", ["W4A16", "NVFP4A16", "MXFP4A16"])
def test_our_own_layout_takes_them_all(preset: str, layout: str, source: Path) -> None:
    first = quantized(source, layout, preset=preset)
    small, _ = stored_anew(first, "packed")
    check_same_values(first, small)


@pytest.mark.parametrize(
    ("layout", "options", "said"),
    [
        (SERVERS, {"preset": "W4A16_ASYM"}, "a zero point times its scale"),
        (SERVERS, {"preset": "W4A16", "group_size": "channel"}, "not channel"),
        (SERVERS, {"preset": "NVFP4A16"}, "no scale for a whole tensor"),
        (SERVERS, {"preset": "FP8_BLOCK"}, "no fp8-block codes"),
        (SERVERS, {"preset": "W8A8"}, "asks for int8 inputs"),
        ("mlx", {"preset": "MLX4"}, "no affine codes"),
        ("mlx", {"preset": "MXFP8A16"}, "no mxfp8 codes"),
        ("packed", {"preset": "W4A16"}, "only decoded"),
    ],
)
def test_what_the_other_cannot_hold_is_refused_by_name(
    layout: str, options: dict[str, Any], said: str, source: Path
) -> None:
    first = quantized(source, layout, **options)
    other = "mlx" if layout != "mlx" else SERVERS
    with pytest.raises(UsageError, match=said) as caught:
        stored_anew(first, other)
    assert "cannot hold the codes of 0.fc" in str(caught.value)
    assert "modelopt restore" in str(caught.value.hint)
    assert not first.with_name(f"{first.name} {other}").exists()


def test_without_a_layout_they_are_decoded(source: Path) -> None:
    first = quantized(source, "mlx", preset="MLX4")
    target = source.with_name("decoded")
    spec = from_config({"version": 1})
    assert compress(first, target, spec, Settings(requantize=True)).layout == "dense"
    assert np.array_equal(plain(first)["0.fc2.weight"], zoo.read(target).arrays["0.fc2.weight"])
