"""``config.json`` of a folder: read as data, written only where it is to say something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress_core.formats.folder.config import config_text, read_config


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "no config.json"), ("[", "is not used"), ("[]", "no JSON object"), ("\udcff", "utf-8")],
)
def test_a_file_that_is_no_config_is_not_used(text: str | None, said: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    config, note = read_config(tmp_path)
    assert config is None
    assert said in str(note)


def test_what_is_written_is_read_again_in_its_order(tmp_path: Path) -> None:
    config = {"b": 1, "a": {"é": [1e-05, None, True]}}
    text = config_text(config)
    assert text.endswith("}\n")
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    found, note = read_config(tmp_path)
    assert (found, note) == (config, None)
    assert list(found or {}) == ["b", "a"]
