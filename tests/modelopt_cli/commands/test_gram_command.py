"""``modelopt gram`` where its extra is missing, and with options that make no sense."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest


def test_the_extra_is_named_where_it_is_missing(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = cli("gram", tmp_path, "--texts", tmp_path / "t.txt", "-o", tmp_path / "g.safetensors")
    assert ran.code == 2
    assert ran.err.startswith("error: running a model needs PyTorch and transformers: ")
    assert "hint: pip install 'modelopt-cli[torch]'" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--texts"),
        (["--texts", "t.txt", "--held-out", "1"], "--held-out is a share"),
        (["--texts", "t.txt", "--held-out", "nan"], "--held-out is a share"),
        (["--texts", "t.txt", "--max-length", "0"], "--max-length"),
        (["--texts", "t.txt", "--matrix-memory", "4M"], "--matrix-memory"),
        (["--texts", "t.txt", "-o", "g.bin"], "g.bin"),
    ],
)
def test_nonsense_is_refused(arguments: list[str], message: str, cli: Any, tmp_path: Path) -> None:
    ran = cli("gram", tmp_path, *arguments)
    assert ran.code == 2
    assert message in ran.err
