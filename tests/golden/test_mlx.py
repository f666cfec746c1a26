"""Golden folders of MLX: a byte that moves fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compress_core import diff, open_logical, restore
from tests.contracts import zoo
from tests.golden.make_compressed_tensors import CONFIG, files_in
from tests.golden.make_mlx import CASES, GOLDEN, make, tensors

MOST_BYTES = 4096


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("golden")
    make(folder)
    return files_in(folder)


@pytest.mark.parametrize("name", sorted(files_in(GOLDEN)))
def test_bytes_written_today_are_the_golden_ones(name: str, made: dict[str, bytes]) -> None:
    assert made[name] == (GOLDEN / name).read_bytes()


def test_nothing_more_is_written_and_all_is_small(made: dict[str, bytes]) -> None:
    assert made.keys() == files_in(GOLDEN).keys()
    assert [name for name, data in made.items() if len(data) >= MOST_BYTES] == []


@pytest.mark.parametrize("name", CASES)
def test_golden_folders_restore_to_what_was_recorded(name: str, tmp_path: Path) -> None:
    restore(GOLDEN / name, tmp_path / "plain")
    before, after = tensors(), zoo.read(tmp_path / "plain")
    assert after.metadata == {}
    assert {one: (a.dtype, a.shape) for one, a in after.arrays.items()} == {
        one: (a.dtype, a.shape) for one, a in before.items()
    }
    assert json.loads((tmp_path / "plain" / "config.json").read_text(encoding="utf-8")) == CONFIG
    zoo.checkpoint(tmp_path / "source", before, {})
    measured = {
        one.name: one.measured.error
        for one in diff(tmp_path / "source", GOLDEN / name).tensors
        if one.measured is not None
    }
    with open_logical(GOLDEN / name) as reader:
        assert reader.errors
        for one, recorded in reader.errors.items():
            assert measured[one] == pytest.approx(recorded.error)
