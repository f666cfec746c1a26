"""``modelopt list``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelopt_cli.catalogue import KINDS, ids


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_each(cli: Any, kind: str) -> None:
    ran = cli("list", kind)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith(f" {kind.capitalize()}")
    assert [line.split()[0] for line in lines[2:] if line[1] != " "] == list(ids(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_json(cli: Any, kind: str) -> None:
    found = json.loads(cli("list", kind, "--json").out)
    assert (found["schema"], found["kind"]) == ("modelopt.list/1", kind)
    assert [entry["id"] for entry in found["entries"]] == list(ids(kind))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in ids(kind)])
def test_one_of_them(cli: Any, kind: str, name: str) -> None:
    ran = cli("list", kind, name)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(name)
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    assert json.loads(cli("list", kind, name, "--json").out)["entries"][0]["id"] == name


def test_a_pass(cli: Any) -> None:
    lines = cli("list", "passes", "prune").out.splitlines()
    assert lines[:5] == [
        "prune: set the smallest weights, rows, columns or blocks to zero",
        " Option     Default                       Meaning: accepted values",
        " ──────────────────────────────────────────────────────────────────────────",
        " sparsity   required, or threshold        share that becomes zero: a number",
        "                                          from 0 to 1",
    ]


def test_presets_in_any_case(cli: Any) -> None:
    assert cli("list", "presets", "w4a16_asym").out == cli("list", "presets", "W4A16_ASYM").out


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["pases"], "nothing is called 'pases'", "did you mean passes?"),
        (["passes", "prun"], "unknown pass: 'prun'", "did you mean prune?"),
        (["layouts", "pakced"], "unknown layout: 'pakced'", "did you mean packed?"),
        (["formats", "x"], "unknown format: 'x'", "known: "),
        (["presets", "w4a8"], "unknown preset: 'w4a8'", "use W4A16"),
        ([], "missing argument", "see modelopt list --help"),
    ],
)
def test_mistakes(cli: Any, arguments: list[str], message: str, hint: str) -> None:
    ran = cli("list", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {message}")
    assert f"hint: {hint}" in ran.err
