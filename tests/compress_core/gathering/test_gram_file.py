"""A Gram file that is written layer by layer: valid whatever of it comes, absent without an end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from compress_core import open_weights
from compress_core.errors import NonFiniteError, OutputExistsError
from compress_core.gathering.gram_file import GramFile
from compress_core.gathering.moments import Moments
from compress_core.grams import open_grams


@dataclass(frozen=True)
class Layer:
    name: str
    columns: int


LAYERS = [Layer("a.b", 3), Layer('odd "ü"', 2), Layer("c", 4)]


def _samples(columns: int, *counts: int, scale: float = 1) -> dict[bool, Moments]:
    found = {}
    for held_out, count in zip((False, True), counts, strict=True):
        found[held_out] = Moments(columns)
        if count:
            random = np.random.default_rng(count)
            found[held_out].add(random.standard_normal((count, columns)) * scale)
    return found


def test_it_holds_what_there_are_inputs_of(tmp_path: Path) -> None:
    target = tmp_path / "g.safetensors"
    with GramFile(target, LAYERS, replace=False) as file:
        assert file.append("a.b", _samples(3, 7, 2))
        assert not file.append("c", _samples(4, 0, 2))
        assert file.append('odd "ü"', _samples(2, 5, 0))
        assert not target.exists()
        file.commit()
    found = load_file(target)
    parts = ("gram", "mean", "count")
    wanted = {f"{name}.{part}" for name in ("a.b", "a.b.held_out", 'odd "ü"') for part in parts}
    assert set(found) == wanted
    rows = np.random.default_rng(7).standard_normal((7, 3))
    np.testing.assert_array_equal(found["a.b.gram"], (rows.T @ rows / 7).astype(np.float32))
    np.testing.assert_allclose(found["a.b.mean"], rows.mean(axis=0), rtol=1e-6)
    assert found["a.b.count"] == 7
    assert found["a.b.count"].shape == ()


def test_the_tool_reads_it(tmp_path: Path) -> None:
    save_file({"c.weight": np.ones((5, 4), np.float32)}, tmp_path / "m.safetensors")
    with GramFile(tmp_path / "g.safetensors", LAYERS, replace=False) as file:
        file.append("c", _samples(4, 9, 3))
        file.commit()
    with open_weights(tmp_path / "m.safetensors") as reader:
        infos = list(reader.infos.values())
    with open_grams(tmp_path / "g.safetensors", infos) as grams:
        assert set(grams.means("c.weight")) == {"in_sample", "held_out"}


def test_what_is_not_committed_never_appears(tmp_path: Path) -> None:
    with GramFile(tmp_path / "g.safetensors", LAYERS, replace=False) as file:
        file.append("c", _samples(4, 9, 3))
    assert list(tmp_path.iterdir()) == []


def test_inputs_that_are_not_finite_are_refused_by_name(tmp_path: Path) -> None:
    with GramFile(tmp_path / "g.safetensors", LAYERS, replace=False) as file:
        for scale in (np.nan, 1e30):
            with pytest.raises(NonFiniteError, match="layer c gets NaN"):
                file.append("c", _samples(4, 9, 3, scale=scale))


def test_what_exists_is_replaced_only_when_asked(tmp_path: Path) -> None:
    target = tmp_path / "g.safetensors"
    target.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        GramFile(target, LAYERS, replace=False)
    with GramFile(target, LAYERS, replace=True) as file:
        file.append("c", _samples(4, 9, 3))
        file.commit()
    assert "c.gram" in load_file(target)
