"""Gates judge files, and baselines fall."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from compress_core import Check, Gate, Report, Settings, check, compress, from_config
from compress_core.checking import found_paths
from compress_core.errors import FormatError, OutputError, UnmatchedError, UsageError
from compress_core.gates import Growth, Limit
from compress_core.select import patterns
from tests.compress_core.test_appraisal import PASSES, limited


@pytest.mark.parametrize("paths", [[], ["no.safetensors"], ["*.nothing"], ["no/**/x"]])
def test_no_file_is_no_pass(
    paths: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        check(paths, [limited("size")])


def test_paths_are_files_folders_and_globs(tmp_path: Path) -> None:
    for name in ("b.x", "a.x", "[a].x"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "c.x").touch()
    assert [path.name for path in found_paths([tmp_path / "sub", f"{tmp_path}/*.x"])] == [
        "sub",
        "[a].x",
        "a.x",
        "b.x",
    ]
    assert found_paths([tmp_path / "[a].x"]) == [tmp_path / "[a].x"]
    assert found_paths([f"{tmp_path}/**/c.x"] * 2) == [tmp_path / "sub" / "c.x"]


def test_a_damaged_file_is_no_pass(packed: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(packed.read_bytes()[:-1])
    with pytest.raises(FormatError):
        check([cut], [limited("size")])


def test_no_gate_is_no_pass(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no gate"):
        check([packed], [])
    with pytest.raises(UsageError, match="which baseline"):
        check([packed], [limited("size")], update_baseline=True)
    (tmp_path / "b.json").write_text('{"schema": "modelopt.baseline/1", "files": {}}')
    with pytest.raises(UsageError, match="no gate compares"):
        check([packed], [limited("size")], baseline=tmp_path / "b.json")


def test_a_pattern_must_match_in_every_file_or_at_least_in_one(
    original: Path, packed: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"head": np.ones((4, 4), np.float32)}, other)
    gate = limited("tensor_bytes", match=patterns(["*.up"]))
    with pytest.raises(UnmatchedError):
        check([packed, other], [gate])
    warned = check([packed, other], [gate], Settings(on_unmatched="warn"))
    assert [verdict.file for verdict in warned.verdicts] == [str(packed)]
    assert warned.notes == (f"{other}: match pattern matched no tensor: *.up",)
    with pytest.raises(UsageError, match="measures nothing in any file"):
        check([other], [gate], Settings(on_unmatched="ignore"))


def test_one_original_is_for_one_file(packed: Path, original: Path) -> None:
    with pytest.raises(UsageError, match="one original and 2 files"):
        check([packed, original], [limited("error")], against=original)


GROWTH = Gate("size", (Limit("max_growth", Growth(percent=1)),))


def test_a_baseline_is_made_falls_and_never_rises(packed: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "b.json"

    def update(*gates: Gate) -> Check:
        return check([packed], gates, baseline=baseline, update_baseline=True)

    assert update().notes == (
        f"new, not in {baseline}: {packed}",
        f"{baseline}: 1 added",
    )
    first, stamp = baseline.read_text(), baseline.stat().st_mtime_ns
    assert update(GROWTH).notes == (f"{baseline} is as low as it was",)
    assert baseline.stat().st_mtime_ns == stamp
    size = packed.stat().st_size
    baseline.write_text(first.replace(str(size), str(size + 10)))
    assert update().notes == (f"{baseline}: 1 lowered",)
    assert baseline.read_text() == first
    baseline.write_text(first.replace(str(size), str(size - 10)))
    assert update().notes == (f"{baseline} is as low as it was",)
    assert str(size - 10) in baseline.read_text()


def test_a_failed_check_leaves_the_baseline(packed: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "b.json"
    found = check([packed], [limited("size", 1)], baseline=baseline, update_baseline=True)
    assert found.failed
    assert found.notes[-1] == f"{baseline} is left as it was, since a gate failed"
    assert not baseline.exists()


def test_a_baseline_that_knows_no_file_compares_nothing(packed: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "b.json"
    check([packed], [], baseline=baseline, update_baseline=True)
    new = shutil.copy(packed, tmp_path / "new.safetensors")
    with pytest.raises(UsageError, match="knows none of these files"):
        check([new], [GROWTH], baseline=baseline)
    found = check([packed, new], [GROWTH], baseline=baseline)
    assert [verdict.status for verdict in found.verdicts] == ["ok", "new"]


def test_what_vanished_is_told_and_taken_out(packed: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "b.json"
    gone = shutil.copy(packed, tmp_path / "gone.safetensors")
    check([packed, gone], [], baseline=baseline, update_baseline=True)
    Path(gone).unlink()
    assert check([packed], [GROWTH], baseline=baseline).notes == (
        f"vanished, still in {baseline}: {gone}",
    )
    updated = check([packed], [GROWTH], baseline=baseline, update_baseline=True)
    assert updated.notes[-1] == f"{baseline}: 1 removed"
    assert "gone" not in baseline.read_text()


def test_a_baseline_that_cannot_be_written(packed: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        check([packed], [], baseline=tmp_path / "no" / "b.json", update_baseline=True)


def test_a_plan_cannot_be_judged(original: Path, tmp_path: Path) -> None:
    def refuse(report: Report) -> None:
        raise UsageError("no")

    spec = from_config({"version": 1, "passes": PASSES})
    target = tmp_path / "out.safetensors"
    with pytest.raises(UsageError, match="no"):
        compress(original, target, spec, before_commit=refuse)
    assert sorted(path.name for path in tmp_path.iterdir()) == [original.name]


def test_gates_of_a_spec_do_not_change_a_byte(original: Path, tmp_path: Path) -> None:
    spec = from_config({"version": 1, "passes": PASSES})
    gated = replace(spec, gates=(limited("size"),))
    compress(original, tmp_path / "a.safetensors", spec)
    compress(original, tmp_path / "b.safetensors", gated)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("match", ["nothing", "index"])
def test_a_gate_of_a_spec_that_finds_nothing_is_refused_first(
    original: Path, tmp_path: Path, match: str
) -> None:
    spec = from_config(
        {
            "version": 1,
            "passes": PASSES,
            "gates": [{"metric": "error", "max": 1, "match": match}],
        }
    )
    with pytest.raises(UsageError):
        compress(original, tmp_path / "out.safetensors", spec, Settings(on_unmatched="ignore"))
    assert not (tmp_path / "out.safetensors").exists()
