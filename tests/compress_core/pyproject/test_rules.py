"""``[tool.modelopt.check]`` of the nearest pyproject.toml that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core.errors import SpecError
from compress_core.gates import Gate, Growth, Limit
from compress_core.pyproject.rules import Rules, nearest_rules, read_rules

TEXT = """\
[project]
name = "x"

[tool.modelopt.check]
paths = ["models/*.safetensors"]
gates = [
  {metric = "size", max = "25 MiB"},
  {metric = "size", max_growth = {percent = 1, bytes = "64 KiB"}, baseline = "b.json"},
]
"""


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder / "pyproject.toml"


def test_the_table_is_read(tmp_path: Path) -> None:
    file = write(tmp_path, TEXT)
    growth = Limit("max_growth", Growth(1, 65536))
    assert read_rules(file) == Rules(
        file,
        ("models/*.safetensors",),
        (Gate("size", (Limit("max", 25 * 1024**2),)), Gate("size", (growth,), baseline="b.json")),
    )


def test_limits_know_their_line(tmp_path: Path) -> None:
    file = write(tmp_path, TEXT)
    rules = read_rules(file)
    assert rules is not None
    origin = rules.gates[1].growing[0].origin
    assert (origin.file, origin.line, origin.column) == (str(file), 8, 21)
    assert origin.said == "tool.modelopt.check.gates[1].max_growth"
    assert rules.gates[1].baseline_path() == tmp_path / "b.json"


def test_the_nearest_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, TEXT)
    write(tmp_path / "a", "[tool.modelopt]\n")
    (tmp_path / "a" / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a" / "b")
    rules = nearest_rules(Path())
    assert rules is not None
    assert rules.file == Path("../../pyproject.toml")
    assert nearest_rules(tmp_path / "a") == Rules(
        tmp_path / "pyproject.toml", rules.paths, rules.gates
    )


def test_there_may_be_none(tmp_path: Path) -> None:
    write(tmp_path, "[tool]\nmodelopts = 1\ncheck = 2\n")
    assert read_rules(tmp_path / "pyproject.toml") is None
    assert nearest_rules(tmp_path) is None


def test_a_byte_order_mark_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="not TOML"):
        read_rules(write(tmp_path, "\ufeff[tool]\n"))


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("[tool", "not TOML", ""),
        ("a = 1\na = 2", "not TOML", ""),
        ("[tool.modelopt]\ncheck = 1", "check is not a table", ":2:1  tool.modelopt.check"),
        ("[tool]\nmodelopt = 3", "modelopt is not a table: 3", ":2:1  tool.modelopt"),
        ("[[tool.modelopt]]", "modelopt is not a table: [{}]", ":1:1  tool.modelopt"),
        (
            "[tool.modelopt.check]\npath = []",
            "unknown key: 'path'",
            ":2:1  tool.modelopt.check.path",
        ),
        (
            "[tool.modelopt.check]\n\ngates = [\n  {metric = 'size', max = 'x'}]",
            "not a size",
            ":4:21  tool.modelopt.check.gates[0].max",
        ),
        (
            "[tool.modelopt.check]\ngates = [{metric = 'error', max = nan}]",
            "nan is no limit",
            ":2:29  tool.modelopt.check.gates[0].max",
        ),
    ],
)
def test_mistakes_have_a_line(tmp_path: Path, text: str, message: str, where: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SpecError) as caught:
        read_rules(file)
    assert message in caught.value.message
    assert caught.value.where == f"{file}{where}"


def test_what_is_no_table_is_told_how_to_become_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_rules(write(tmp_path, "[[tool.modelopt]]"))
    assert caught.value.hint == "write [tool.modelopt] above its keys"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    with pytest.raises(SpecError, match="byte 0 is not UTF-8"):
        read_rules(tmp_path / "pyproject.toml")
    (tmp_path / "pyproject.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(SpecError, match="larger than 1 MB"):
        read_rules(tmp_path / "pyproject.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read: a folder"):
        read_rules(tmp_path)


def test_nesting_without_end(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="not TOML"):
        read_rules(write(tmp_path, "a = " + "[" * 5000 + "]" * 5000))
