"""Which pyproject.toml files are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core.errors import SpecError
from compress_core.pyproject.files import MAX_BYTES, mentioning


@pytest.fixture
def deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def test_the_nearest_comes_first(deep: Path) -> None:
    near, far = deep / "pyproject.toml", deep.parents[1] / "pyproject.toml"
    near.write_text("x near")
    far.write_text("x far")
    (deep.parent / "pyproject.toml").write_text("other")
    assert list(mentioning(["x"], deep)) == [(near, b"x near"), (far, b"x far")]
    assert list(mentioning(["x", "far"], deep)) == [(far, b"x far")]


def test_seen_from_here_the_names_are_short(deep: Path) -> None:
    (deep.parent / "pyproject.toml").write_text("x")
    assert list(mentioning(["x"], Path())) == [(Path("../pyproject.toml"), b"x")]


def test_a_folder_of_that_name_is_none(deep: Path) -> None:
    (deep / "pyproject.toml").mkdir()
    assert list(mentioning(["x"], deep)) == []


def test_what_is_too_large_is_said(deep: Path) -> None:
    (deep / "pyproject.toml").write_bytes(b"#" * 1_000_001 + b"x")
    with pytest.raises(SpecError, match="larger than 1 MB") as caught:
        list(mentioning(["x"], deep))
    assert caught.value.hint == "keep the tables of modelopt in a smaller one, in a folder below"


def test_what_is_too_large_and_says_nothing_is_no_matter(deep: Path) -> None:
    (deep / "pyproject.toml").write_bytes(b"#" * 5_000_001)
    assert list(mentioning(["x"], deep)) == []


@pytest.mark.parametrize("start", range(MAX_BYTES - 8, MAX_BYTES + 2))
def test_a_word_is_found_wherever_it_lies(deep: Path, start: int) -> None:
    (deep / "pyproject.toml").write_bytes(b"tool" + b"#" * (start - 4) + b"modelopt\n")
    with pytest.raises(SpecError, match="larger than 1 MB"):
        list(mentioning(["modelopt", "tool"], deep))
