"""Gram files: what is read of them, and what is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from compress_core import open_weights
from compress_core.errors import FormatError, InputError, UsageError
from compress_core.grams import Grams, open_grams
from tests.compress_core import gram_files
from tests.compress_core.gram_files import Arrays, saved


@pytest.fixture
def infos(tmp_path: Path) -> Any:
    path = saved(tmp_path / "model.safetensors", gram_files.model())
    with open_weights(path) as reader:
        return list(reader.infos.values())


def opened(tmp_path: Path, infos: Any, arrays: Arrays) -> Grams:
    return open_grams(saved(tmp_path / "g.safetensors", arrays), infos)


def test_it_knows_which_tensors_have_a_matrix_and_of_which_inputs(
    tmp_path: Path, infos: Any
) -> None:
    arrays = gram_files.grams(gram_files.model())
    del arrays["down.held_out.gram"], arrays["down.held_out.mean"], arrays["down.held_out.count"]
    with opened(tmp_path, infos, arrays) as grams:
        assert grams.columns == {"up.weight": 48, "down.weight": 32}
        assert grams.samples("up.weight") == ("in_sample", "held_out")
        assert grams.samples("down.weight") == ("in_sample",)
        assert grams.notes == []


def test_a_matrix_is_read_as_it_stands_and_belongs_to_who_asks(tmp_path: Path, infos: Any) -> None:
    arrays = gram_files.grams(gram_files.model())
    with opened(tmp_path, infos, arrays) as grams:
        first = grams.matrix("up.weight")
        np.testing.assert_array_equal(first, arrays["up.gram"])
        first[:] = 0
        np.testing.assert_array_equal(grams.matrix("up.weight"), arrays["up.gram"])
        rows = grams.rows("up.weight", "held_out", 40, 99)
        np.testing.assert_array_equal(rows, arrays["up.held_out.gram"][40:])


def test_float64_is_rounded_to_float32(tmp_path: Path, infos: Any) -> None:
    arrays = gram_files.grams(gram_files.model())
    arrays["up.gram"] = arrays["up.gram"].astype(np.float64)
    with opened(tmp_path, infos, arrays) as grams:
        assert grams.matrix("up.weight").dtype == np.float32


def test_it_may_be_sharded(tmp_path: Path, infos: Any) -> None:
    folder = tmp_path / "grams"
    folder.mkdir()
    arrays = gram_files.grams(gram_files.model())
    shards = {name: f"model-0000{1 + ('up' in name)}-of-00002.safetensors" for name in arrays}
    for shard in set(shards.values()):
        save_file({n: a for n, a in arrays.items() if shards[n] == shard}, folder / shard)
    index = {"metadata": {}, "weight_map": shards}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with open_grams(folder, infos) as grams:
        assert set(grams.columns) == {"up.weight", "down.weight"}
        np.testing.assert_array_equal(grams.matrix("up.weight"), arrays["up.gram"])


def test_a_matrix_for_no_tensor_is_said(tmp_path: Path, infos: Any) -> None:
    arrays = gram_files.grams(gram_files.model())
    arrays["other.gram"] = np.eye(3, dtype=np.float32)
    arrays["note"] = np.zeros(1, np.float32)
    with opened(tmp_path, infos, arrays) as grams:
        assert grams.notes == ["the Gram file has note and 1 more for no tensor of the input"]


def test_a_file_of_another_model_is_refused(tmp_path: Path, infos: Any) -> None:
    with pytest.raises(UsageError, match="no tensor of the input has a Gram matrix"):
        opened(tmp_path, infos, {"other.gram": np.eye(3, dtype=np.float32)})


def _shape(arrays: Arrays) -> None:
    arrays["up.gram"] = np.ascontiguousarray(arrays["up.gram"][:-1])


def _mean(arrays: Arrays) -> None:
    arrays["up.mean"] = np.zeros(3, np.float32)


def _count(arrays: Arrays) -> None:
    arrays["up.count"] = np.zeros(3, np.int64)


def _dtype(arrays: Arrays) -> None:
    arrays["up.gram"] = arrays["up.gram"].astype(np.float16)


def _coarse_mean(arrays: Arrays) -> None:
    arrays["up.mean"] = arrays["up.mean"].astype(np.float16)


def _orphan(arrays: Arrays) -> None:
    del arrays["up.gram"]


def _orphaned_mean(arrays: Arrays) -> None:
    del arrays["up.held_out.gram"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_shape, r"tensor up.gram: its shape is \[47, 48\], and up.weight has 48 inputs"),
        (_mean, "tensor up.mean: its shape"),
        (_count, "tensor up.count: its shape"),
        (_dtype, "tensor up.gram: a Gram matrix of F16 is too coarse"),
        (_coarse_mean, "tensor up.mean: a mean of F16 is too coarse"),
        (_orphan, "tensor up.count: there is no Gram matrix"),
        (_orphaned_mean, "tensor up.held_out.count: there is no Gram matrix"),
    ],
)
def test_what_headers_tell_is_refused_at_once(
    spoil: Callable[[Arrays], None], message: str, tmp_path: Path, infos: Any
) -> None:
    arrays = gram_files.grams(gram_files.model())
    spoil(arrays)
    with pytest.raises(FormatError, match=message) as caught:
        opened(tmp_path, infos, arrays)
    assert caught.value.where == str(tmp_path / "g.safetensors")


def _nan(gram: Any) -> None:
    gram[3, 5] = np.nan


def _infinite(gram: Any) -> None:
    gram[5, 3] = np.inf


def _skew(gram: Any) -> None:
    gram[3, 5] += 1


def _indefinite(gram: Any) -> None:
    gram[:] = gram - 0.01 * np.trace(gram) * np.eye(len(gram))


def _negative(gram: Any) -> None:
    gram[:] = -gram


@pytest.mark.parametrize("key", ["up.gram", "up.held_out.gram"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_nan, "NaN"),
        (_infinite, "NaN or infinity"),
        (_skew, "not symmetric"),
        (_indefinite, "indefinite"),
        (_negative, "indefinite"),
    ],
)
def test_what_no_inputs_can_have_made_is_refused(
    key: str, spoil: Callable[[Any], None], message: str, tmp_path: Path, infos: Any
) -> None:
    arrays = gram_files.grams(gram_files.model())
    spoil(arrays[key])
    with (
        opened(tmp_path, infos, arrays) as grams,
        pytest.raises(FormatError, match=f"tensor {key}: .*{message}"),
    ):
        grams.matrix("up.weight")


@pytest.mark.parametrize("rank", [0, 1, 20])
def test_fewer_inputs_than_columns_are_no_mistake(rank: int, tmp_path: Path, infos: Any) -> None:
    arrays = gram_files.grams(gram_files.model())
    inputs = np.random.default_rng(rank).standard_normal((rank, 48)).astype(np.float32)
    arrays["up.gram"] = inputs.T @ inputs
    del arrays["up.mean"]
    with opened(tmp_path, infos, arrays) as grams:
        assert np.linalg.matrix_rank(grams.matrix("up.weight")) <= rank


def test_what_is_no_file_of_tensors_is_refused(tmp_path: Path, infos: Any) -> None:
    (tmp_path / "g.txt").write_text("gram")
    with pytest.raises(InputError):
        open_grams(tmp_path / "g.txt", infos)


def test_means_are_read_for_each_sample_that_has_one(tmp_path: Path, infos: Any) -> None:
    arrays = gram_files.grams(gram_files.model())
    del arrays["up.held_out.mean"], arrays["down.mean"]
    with opened(tmp_path, infos, arrays) as grams:
        assert grams.with_mean == {"up.weight"}
        found = grams.means("up.weight")
        assert list(found) == ["in_sample"]
        np.testing.assert_array_equal(found["in_sample"], arrays["up.mean"].astype(np.float64))
        assert list(grams.means("down.weight")) == ["held_out"]


@pytest.mark.parametrize("key", ["up.mean", "up.held_out.mean"])
@pytest.mark.parametrize(
    ("spoil", "message"), [(np.nan, "NaN or infinity"), (np.inf, "NaN or infinity"), (9, "both")]
)
def test_a_mean_that_no_inputs_can_have_made_is_refused(
    key: str, spoil: float, message: str, tmp_path: Path, infos: Any
) -> None:
    arrays = gram_files.grams(gram_files.model())
    arrays[key] = arrays[key] * np.float32(spoil)
    with (
        opened(tmp_path, infos, arrays) as grams,
        pytest.raises(FormatError, match=f"tensor {key}: .*{message}"),
    ):
        grams.check("up.weight")


@pytest.mark.parametrize("inputs", [1, 3, 600])
def test_means_of_few_and_of_equal_inputs_are_taken(
    inputs: int, tmp_path: Path, infos: Any
) -> None:
    arrays = gram_files.grams(gram_files.model())
    rows = np.random.default_rng(inputs).standard_normal((inputs, 48)) * 1e3
    rows[1:] = rows[:1] if inputs > 3 else rows[1:]
    arrays["up.gram"] = (rows.T @ rows / inputs).astype(np.float32)
    arrays["up.mean"] = rows.mean(axis=0).astype(np.float32)
    with opened(tmp_path, infos, arrays) as grams:
        grams.check("up.weight")
