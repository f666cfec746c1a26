"""Flags of a pass, and ``--pass``."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from compress_core import registry
from compress_core.errors import UsageError
from compress_core.fields import options_of
from modelopt_cli.pass_options import options_of_pass, parse_pass

PASSES = registry.names("passes")


def chosen(name: str, *arguments: str) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    @click.command
    @options_of_pass(name)
    def command(chosen: dict[str, Any]) -> None:
        seen.append(chosen)

    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return seen[0]


@pytest.mark.parametrize("name", PASSES)
def test_every_field_is_a_flag(name: str) -> None:
    command = click.command(options_of_pass(name)(lambda chosen: None))
    assert [parameter.name for parameter in command.params] == list(
        options_of(registry.get("passes", name))
    )


@pytest.mark.parametrize("name", PASSES)
def test_help_shows_what_is_accepted_and_the_default(name: str) -> None:
    command = click.command(options_of_pass(name)(lambda chosen: None))
    text = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    for option, default in options_of(registry.get("passes", name)).values():
        assert option.help[1:] in text
        assert option.type is bool or option.accepts() in text
        assert default is None or f"[default: {default}]" in text


def test_nothing_given_is_nothing_chosen() -> None:
    assert chosen("prune") == {}


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("prune", ["--sparsity", "0.5"], {"sparsity": 0.5}),
        ("prune", ["--sparsity", "1e-3"], {"sparsity": 0.001}),
        ("prune", ["--structure", "2:4"], {"structure": "2of4"}),
        ("prune", ["--structure", "16x4"], {"structure": "16x4"}),
        ("prune", ["--method", "RANDOM", "--seed", "7"], {"method": "random", "seed": 7}),
        ("quantize", ["--bits", "4", "--group-size", "128"], {"bits": 4, "group_size": 128}),
        ("quantize", ["--group-size", "channel"], {"group_size": "channel"}),
        ("quantize", ["--no-symmetric"], {"symmetric": False}),
        ("quantize", ["--symmetric"], {"symmetric": True}),
    ],
)
def test_flags(name: str, arguments: list[str], expected: dict[str, Any]) -> None:
    found = chosen(name, *arguments)
    assert found == expected
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in expected.items()
    }


@pytest.mark.parametrize("value", ["1.5", "nan", "half", "", "9" * 5000, "1e999"])
def test_a_refusal_names_the_flag(value: str) -> None:
    with pytest.raises(UsageError):
        chosen("prune", "--sparsity", value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prune sparsity=0.5", {"pass": "prune", "sparsity": 0.5}),
        ("quantize group-size=64 bits=4", {"pass": "quantize", "group_size": 64, "bits": 4}),
        ("quantize bits=4 symmetric=false", {"pass": "quantize", "bits": 4, "symmetric": False}),
        (
            "prune structure=2of4 match=*.mlp.* match='a b' ignore=re:.*\\.norm",
            {
                "pass": "prune",
                "structure": "2of4",
                "match": ["*.mlp.*", "a b"],
                "ignore": ["re:.*\\.norm"],
            },
        ),
        ("prune sparsity=0.5 match=#3", {"pass": "prune", "sparsity": 0.5, "match": ["#3"]}),
        ("prune sparsity=0.5 match=a=b", {"pass": "prune", "sparsity": 0.5, "match": ["a=b"]}),
    ],
)
def test_a_pass_in_one_word(text: str, expected: dict[str, Any]) -> None:
    assert parse_pass(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "--pass is empty", "try --pass 'prune sparsity=0.5'"),
        ("prun sparsity=0.5", "unknown pass: 'prun'", "did you mean prune?"),
        ("prune sparsty=0.5", "--pass: prune has no option sparsty", "did you mean sparsity?"),
        (
            "prune sparsity = 0.5",
            "--pass: sparsity has no value",
            "write sparsity=…, without spaces around =",
        ),
        ("prune sparsity=1 sparsity=0", "--pass: sparsity is given twice", None),
        ("prune match='a", "--pass: a quotation mark is not closed", None),
        (
            "prune sparsity=2",
            "--pass: sparsity: 2 is not accepted",
            "--pass: sparsity takes a number from 0 to 1",
        ),
    ],
)
def test_a_wrong_pass_is_explained(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError) as raised:
        parse_pass(text)
    assert (raised.value.message, raised.value.hint) == (message, hint)
