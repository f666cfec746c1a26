"""Golden files: what was written once is read for ever, and today's bytes are still the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from compress_core import restore
from tests.golden.make_golden import EXPECTED, GOLDEN, files_in, fingerprint, make
from tests.independent.packed_reader import Arrays, read

NAMES = sorted(json.loads(EXPECTED.read_text(encoding="utf-8")))

MOST_BYTES = 4096


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("golden")
    make(folder)
    return files_in(folder)


@pytest.mark.parametrize("name", sorted(files_in(GOLDEN)))
def test_bytes_written_today_are_the_golden_ones(name: str, made: dict[str, bytes]) -> None:
    assert made[name] == (GOLDEN / name).read_bytes()


def test_nothing_more_is_written(made: dict[str, bytes]) -> None:
    assert made.keys() == files_in(GOLDEN).keys()


def restored_by_tool(name: str, folder: Path) -> Arrays:
    target = folder / "restored"
    restore(GOLDEN / name, target)
    if target.is_file():
        return load_file(target)
    found: Arrays = {}
    for shard in target.glob("*.safetensors"):
        found |= load_file(shard)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_restore_to_what_they_did(name: str, tmp_path: Path) -> None:
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))[name]
    assert fingerprint(restored_by_tool(name, tmp_path)) == expected
    assert fingerprint(read(GOLDEN / name)) == expected


def test_golden_files_are_small() -> None:
    assert [name for name, data in files_in(GOLDEN).items() if len(data) >= MOST_BYTES] == []


def test_every_kind_is_there() -> None:
    from tests.independent.packed_reader import Tensor, open_file

    seen: set[str] = set()
    for path in GOLDEN.glob("*.safetensors"):
        stored = open_file(path)
        record = json.loads(stored.metadata["modelopt.packed"])
        for name, (form, kept) in record["tensors"].items():
            tensor = Tensor(name, record["forms"][form], kept, stored.parts)
            kind = "codes" if tensor.scheme else "values"
            seen.add(f"{tensor.arrangement}, {kind}")
    arrangements = (
        "plain",
        "mask of elements",
        "mask of blocks",
        "mask of rows",
        "mask of columns",
        "ranks",
    )
    assert seen == {f"{one}, {kind}" for one in arrangements for kind in ("codes", "values")}
