"""Golden folders of layouts that servers read: a byte that moves fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from compress_core import diff, open_logical, restore
from tests.contracts import zoo
from tests.golden import make_bitsandbytes, make_compressed_tensors, make_gptq, make_mlx
from tests.golden.served import CONFIG, Golden, files_in

MOST_BYTES = 8192
LAYOUTS = {
    made.GOLDEN.layout: made.GOLDEN
    for made in (make_bitsandbytes, make_compressed_tensors, make_gptq, make_mlx)
}
FILES = [(layout, file) for layout, one in LAYOUTS.items() for file in sorted(files_in(one.folder))]
CASES = [(layout, case) for layout, one in LAYOUTS.items() for case in one.cases]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bytes]]:
    """``made(layout)``: its files as they are written today."""

    @cache
    def files_of(layout: str) -> dict[str, bytes]:
        folder = tmp_path_factory.mktemp("golden")
        LAYOUTS[layout].make(folder)
        return files_in(folder)

    return files_of


@pytest.mark.parametrize(("layout", "name"), FILES)
def test_bytes_written_today_are_the_golden_ones(
    layout: str, name: str, made: Callable[[str], dict[str, bytes]]
) -> None:
    assert made(layout)[name] == (LAYOUTS[layout].folder / name).read_bytes()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_more_is_written_and_all_is_small(
    layout: str, made: Callable[[str], dict[str, bytes]]
) -> None:
    assert made(layout).keys() == files_in(LAYOUTS[layout].folder).keys()
    assert [name for name, data in made(layout).items() if len(data) >= MOST_BYTES] == []


@pytest.mark.parametrize(("layout", "name"), CASES)
def test_golden_folders_restore_to_what_was_recorded(
    layout: str, name: str, tmp_path: Path
) -> None:
    golden: Golden = LAYOUTS[layout]
    restore(golden.folder / name, tmp_path / "plain")
    before = golden.tensors(name)
    after = zoo.read(tmp_path / "plain").arrays
    assert {one: (a.dtype, a.shape) for one, a in after.items()} == {
        one: (a.dtype, a.shape) for one, a in before.items()
    }
    assert json.loads((tmp_path / "plain" / "config.json").read_text(encoding="utf-8")) == CONFIG
    zoo.checkpoint(tmp_path / "source", before, {})
    measured = {
        one.name: one.measured.error
        for one in diff(tmp_path / "source", golden.folder / name).tensors
        if one.measured is not None
    }
    with open_logical(golden.folder / name) as reader:
        assert reader.errors
        for one, recorded in reader.errors.items():
            assert measured[one] == pytest.approx(recorded.error)
