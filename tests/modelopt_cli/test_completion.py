"""What a shell offers while a line is typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from compress_core import registry
from compress_core.presets import PRESETS
from modelopt_cli.catalogue import KINDS

Offered = Callable[..., list[str]]


@pytest.fixture
def offered(cli: Any, monkeypatch: pytest.MonkeyPatch) -> Offered:
    """The words for the last of some words."""

    def ask(*words: str | Path) -> list[str]:
        line = ["modelopt", *map(str, words)]
        monkeypatch.setenv("_MODELOPT_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(line))
        monkeypatch.setenv("COMP_CWORD", str(len(line) - 1))
        ran = cli()
        assert (ran.code, ran.err) == (0, "")
        return [line.removeprefix("plain,") for line in ran.out.splitlines() if line]

    return ask


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["qua"], ["quantize"]),
        (["spec", "v"], ["validate"]),
        (["prune", "--structure", "el"], ["element"]),
        (["quantize", "--preset", "w4a16_"], ["W4A16_ASYM"]),
        (["plan", "--compare", "W8A16,w3"], ["W8A16,W3A16"]),
        (["compress", "--pass", "qu"], ["quantize"]),
        (["quantize", "x", "--layout", "pac"], ["packed"]),
        (["list", "pre"], ["presets"]),
        (["list", "presets", "w2"], ["W2A16"]),
        (["list", "nothing", "w2"], []),
        (["spec", "validate", "--aga"], ["--against"]),
    ],
)
def test_words(offered: Offered, words: list[str], expected: list[str]) -> None:
    assert offered(*words) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_names_of_a_kind(offered: Offered, kind: str) -> None:
    known = tuple(PRESETS) if kind == "presets" else registry.names(kind)
    assert {word for name in known for word in offered("list", kind, name[0])} == set(known)


@pytest.mark.parametrize("flag", ["--match", "--ignore"])
def test_tensors_of_the_file_on_the_line(offered: Offered, weights: Path, flag: str) -> None:
    assert offered("quantize", weights, flag, "layers.1") == [
        "layers.1.mlp.up_proj.weight",
        "layers.1.norm.weight",
    ]
    assert offered("plan", "--on-unmatched", "warn", weights, "--exact", flag, "emb") == [
        "embed_tokens.weight"
    ]


def test_tensors_are_those_that_a_compressed_file_stands_for(
    cli: Any, offered: Offered, weights: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small.packed.safetensors"
    assert cli("quantize", weights, "--bits", "4", "-o", small).code == 0
    assert offered("compress", small, "--match", "emb") == ["embed_tokens.weight"]


def test_no_file_no_words(offered: Offered, tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("x")
    assert offered("quantize", "--match", "l") == []
    assert offered("quantize", tmp_path / "none", "--match", "l") == []
    assert offered("quantize", text, "--match", "l") == []
    assert offered("quantize", tmp_path, "--match", "l") == []


def test_names_cannot_drive_the_terminal(offered: Offered, tmp_path: Path) -> None:
    path = tmp_path / "names.safetensors"
    save_file({name: np.ones(1) for name in ("a\x1b[2J", "a\nb", "ab")}, path)
    assert offered("quantize", path, "--match", "a") == ["ab"]
