"""Garbage is looked for while a command works, and not before."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import pytest

from modelopt_cli import collecting, main


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


def test_what_was_imported_is_passed_over() -> None:
    collecting.pause()
    assert not gc.isenabled()
    collecting.resume()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_a_process_that_was_not_paused_is_left_alone() -> None:
    collecting.resume()
    assert gc.get_freeze_count() == 0


def test_a_command_works_with_a_collector(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["modelopt", "list", "passes"])
    with pytest.raises(SystemExit):
        main.main()
    assert gc.isenabled()
    assert "quantize" in capsys.readouterr().out
