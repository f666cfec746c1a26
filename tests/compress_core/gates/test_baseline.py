"""The file in git that says how large files were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compress_core.errors import FormatError, InputError, UsageError
from compress_core.gates import Baseline, Measurement, TensorMeasure
from compress_core.gates.baseline import MAX_BYTES

ENTRY = {"bytes": 100, "tensor_bytes": 80}


def measured(path: Path, nbytes: int, tensor_bytes: int = 80) -> Measurement:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.touch()
    return Measurement(str(path), nbytes, (TensorMeasure("w", 1, tensor_bytes, 4, True),))


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "baseline.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def baseline(files: object, **more: object) -> str:
    return json.dumps({"schema": "modelopt.baseline/1", "files": files, **more})


def test_one_sorted_line_a_file_with_relative_paths(tmp_path: Path) -> None:
    empty = Baseline.read(tmp_path / "ci" / "b.json", create=True)
    (tmp_path / "ci").mkdir()
    files = [measured(tmp_path / "m" / name, 100) for name in ("b.x", "a.x")]
    found = empty.lowered([*files, measured(tmp_path / "ci" / "c.x", 100)])
    found.write()
    assert (tmp_path / "ci" / "b.json").read_text() == (
        "{\n"
        '  "schema": "modelopt.baseline/1",\n'
        '  "files": {\n'
        '    "../m/a.x": {"bytes": 100, "tensor_bytes": 80},\n'
        '    "../m/b.x": {"bytes": 100, "tensor_bytes": 80},\n'
        '    "c.x": {"bytes": 100, "tensor_bytes": 80}\n'
        "  }\n"
        "}\n"
    )
    assert Baseline.read(tmp_path / "ci" / "b.json").files == found.files


def test_an_empty_one_is_json_too(tmp_path: Path) -> None:
    Baseline(tmp_path / "b.json").write()
    assert Baseline.read(tmp_path / "b.json").files == {}


def test_the_current_folder_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Baseline.read(written(tmp_path, baseline({"m/a.x": ENTRY})))
    assert known.of(str(tmp_path / "m" / "a.x")) == ENTRY
    (tmp_path / "m").mkdir()
    monkeypatch.chdir(tmp_path / "m")
    assert known.of("a.x") == ENTRY
    assert Baseline.read(Path("../baseline.json")).of("a.x") == ENTRY


def test_figures_only_fall(tmp_path: Path) -> None:
    known = Baseline(tmp_path / "b.json", {"a": ENTRY})
    assert known.lowered([measured(tmp_path / "a", 200, 40)]).files == {
        "a": {"bytes": 100, "tensor_bytes": 40}
    }


def test_what_is_gone_is_told_and_left_out(tmp_path: Path) -> None:
    known = Baseline(tmp_path / "b.json", {"gone": ENTRY, "there": ENTRY, "a": ENTRY})
    (tmp_path / "there").touch()
    found = known.lowered([measured(tmp_path / "a", 100)])
    assert known.vanished() == ["gone"]
    # a file that was not part of this check stays
    assert set(found.files) == {"there", "a"}


def test_a_missing_one_is_an_error_unless_it_is_to_be_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such baseline") as caught:
        Baseline.read(tmp_path / "b.json")
    assert caught.value.hint == "--update-baseline creates it"
    assert Baseline.read(tmp_path / "b.json", create=True).files == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        b"\xff",
        baseline({}).replace("/1", "/2"),
        baseline([]),
        baseline({}, more=1),
        '{"files": {}}',
        baseline({"a": {"bytes": 1}}),
        baseline({"a": {**ENTRY, "more": 1}}),
        baseline({"a": {"bytes": 1.5, "tensor_bytes": 1}}),
        baseline({"a": {"bytes": True, "tensor_bytes": 1}}),
        baseline({"a": {"bytes": -1, "tensor_bytes": 1}}),
        baseline({"a": {"bytes": 2**63, "tensor_bytes": 1}}),
        baseline({"a": 5}),
        '{"schema": "modelopt.baseline/1", "files": {"a": {"bytes": NaN, "tensor_bytes": 1}}}',
        '{"schema": "modelopt.baseline/1", "files": {}, "files": {}}',
    ],
)
def test_the_rules_are_strict(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(FormatError) as caught:
        Baseline.read(written(tmp_path, text))
    assert caught.value.where == str(tmp_path / "baseline.json")
    assert str(caught.value.hint).endswith(f"git checkout -- {tmp_path / 'baseline.json'}")


def test_it_is_small(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="larger than 16 MiB"):
        Baseline.read(written(tmp_path, b" " * (MAX_BYTES + 1)))


def test_it_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a folder"):
        Baseline.read(tmp_path)
