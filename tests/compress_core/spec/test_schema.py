"""The JSON Schema says what the loader says, as far as a schema can."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from compress_core import registry
from compress_core.errors import SpecError, UsageError
from compress_core.fields import Option, options_of
from compress_core.select import Where
from compress_core.spec import Output, Spec, config, from_config
from compress_core.spec.document import parse
from compress_core.spec.schema import json_schema
from tests.compress_core.spec.test_config import MISTAKES
from tests.compress_core.spec.test_loader import VALID
from tests.compress_core.spec.test_round_trip import SPECS, THOROUGH

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
PASSES = registry.names("passes")

# part of the message → why a schema, which sees values one by one, lets it pass
ONLY_THE_LOADER = {
    "not a regular expression": "a schema cannot compile a text",
    "a rule cannot split": "depends on two options",
    "shard_size: 0": "a text whose number is too small",
}


def data_of(text: str) -> Any:
    """YAML as plain data."""
    return parse(text.removeprefix("\ufeff"), "a.yaml")[0]


def accepts(data: Any) -> bool:
    return VALIDATOR.is_valid(data)


def with_pass(**entry: Any) -> dict[str, Any]:
    return {"version": 1, "passes": [entry]}


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_it_is_the_same_every_time() -> None:
    script = (
        "import json; from compress_core.spec.schema import *; print(json.dumps(json_schema()))"
    )
    command = [sys.executable, "-c", script]
    runs = {subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2)}
    assert runs == {json.dumps(SCHEMA).encode() + b"\n"}


@pytest.mark.parametrize("name", VALID)
def test_valid_specs(name: str) -> None:
    VALIDATOR.validate(data_of(VALID[name]))


@pytest.mark.parametrize("text", [mistake[0] for mistake in MISTAKES])
def test_mistakes(text: str) -> None:
    message = next(mistake[1] for mistake in MISTAKES if mistake[0] == text)
    assert accepts(data_of(f"version: 1\n{text}\n")) == (message in ONLY_THE_LOADER)


@THOROUGH
@given(SPECS)
def test_whatever_options_a_pass_takes(spec: Spec) -> None:
    VALIDATOR.validate(json.loads(json.dumps(spec.config())))


@pytest.mark.parametrize("name", PASSES)
def test_a_branch_has_the_fields_of_its_pass_in_their_order(name: str) -> None:
    own = options_of(registry.get("passes", name))
    properties = SCHEMA["$defs"][f"pass.{name}"]["properties"]
    assert list(properties) == ["pass", *own, "match", "ignore", "where", "rules"]
    assert list(SCHEMA["$defs"][f"rule.{name}"]["properties"]) == ["match", *own]
    for key, (option, default) in own.items():
        assert properties[key]["description"].startswith(option.help)
        assert properties[key].get("default") == default


OPTIONS = [
    (owner, key, option)
    for owner, cls in {
        **{f"pass.{name}": registry.get("passes", name) for name in PASSES},
        "where": Where,
    }.items()
    for key, (option, _) in options_of(cls).items()
    if key != "preset"  # the option takes any word, so that the preset's own error can be told
]


def accepted(option: Option, value: Any) -> bool:
    try:
        option.check("", value)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize(("owner", "key", "option"), OPTIONS)
def test_an_option_and_its_schema_accept_the_same(owner: str, key: str, option: Option) -> None:
    validator = VALIDATOR.evolve(schema=SCHEMA["$defs"][owner]["properties"][key])
    good = ["auto", "2of4", "16x4", "2:4", *option.choices]
    words = [spelled for word in good for spelled in (word, word.upper(), f"{word}x")]
    numbers = [-1, 0, 1, 2, 8, 9, 10**6, -0.1, 0.0, 0.5, 1.0, 1.5, 8.0, 1e-9]
    tried: list[Any] = [None, True, False, [], {}, "", *words, *numbers]
    for value in tried:
        assert validator.is_valid(value) == accepted(option, value), value


def test_no_key_of_the_grammar_is_left_out() -> None:
    definitions = SCHEMA["$defs"]
    assert list(SCHEMA["properties"]) == list(config.SPEC_KEYS)
    assert list(definitions["select"]["properties"]) == list(config.SELECT_KEYS)
    assert list(definitions["where"]["properties"]) == [*options_of(Where), "dtype"]
    assert list(definitions["output"]["properties"]) == list(options_of(Output))


@pytest.mark.parametrize(
    ("entry", "good"),
    [
        ({"pass": "prune", "sparsity": 0.5, "method": "RANDOM"}, True),
        ({"pass": "prune", "sparsity": 0.5, "method": "best"}, False),
        ({"pass": "prune", "sparsity": 1.01}, False),
        ({"pass": "prune", "sparsity": "0.5"}, False),
        ({"pass": "prune", "structure": "2of4"}, True),
        ({"pass": "prune", "structure": "2:4"}, True),
        ({"pass": "prune", "structure": "2/4"}, False),
        ({"pass": "prune", "structure": "12of4 "}, False),
        ({"pass": "quantize", "preset": "w4a16_asym"}, True),
        ({"pass": "quantize", "preset": "W4A17"}, False),
        ({"pass": "quantize", "bits": 4.0}, True),
        ({"pass": "quantize", "bits": 4.5}, False),
        ({"pass": "quantize", "bits": True}, False),
        ({"pass": "quantize", "bits": None}, False),
        ({"pass": "quantize", "bits": 4, "group_size": "channel"}, True),
        ({"pass": "quantize", "bits": 4, "group_size": 0}, False),
        ({"pass": "quantize", "bits": 4, "sparsity": 0.5}, False),
        ({"pass": "quantize", "preset": "W4A16", "rules": [{"match": "a", "center": None}]}, True),
        ({"pass": "quantize", "bits": 4, "rules": [{"match": "a", "pass": "quantize"}]}, False),
        ({"pass": "quantize", "bits": 4, "match": ["Linear"]}, False),
        ({"pass": "quantize", "bits": 4, "where": {"dtype": ["bf16", "F32"]}}, True),
        ({"pass": "quantize", "bits": 4, "where": {"dtype": ["bf17"]}}, False),
        ({"bits": 4}, False),
    ],
)  # fmt: skip
def test_values(entry: dict[str, Any], good: bool) -> None:
    assert accepts(with_pass(**entry)) == good
    if good:
        from_config(with_pass(**entry))
    else:
        with pytest.raises(SpecError):
            from_config(with_pass(**entry))


@pytest.mark.parametrize(
    ("size", "good"),
    [
        *(("4 GiB", True), ("25MB", True), ("4096", True), ("1.5 GiB", True)),
        *(("10M", False), ("1.5", False), ("GiB", False), ("-1 B", False), (4096, False)),
    ],
)
def test_sizes(size: Any, good: bool) -> None:
    assert accepts({"version": 1, "output": {"shard_size": size}}) == good


@pytest.mark.parametrize("name", ["edge", "a b", "x" * 100, "naïve", "a.b"])
def test_names(name: str) -> None:
    assert from_config({"version": 1, "name": name}).name == name
    assert accepts({"version": 1, "name": name})


@pytest.mark.parametrize("name", ["", " a", "a.", "a/b", "a\\b", "a*", 'a"', "x" * 101])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(SpecError):
        from_config({"version": 1, "name": name})
    assert not accepts({"version": 1, "name": name})


def test_a_new_pass_is_in_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    prune = registry.get("passes", "prune")
    monkeypatch.setattr(registry, "all_of", lambda kind: {"clip": prune, "prune": prune})
    extended = Draft202012Validator(json_schema())
    assert extended.is_valid(with_pass(**{"pass": "clip", "sparsity": 0.5}))
    assert not extended.is_valid(with_pass(**{"pass": "quantize", "bits": 4}))


def test_the_schema_is_made_without_numpy() -> None:
    script = (
        "import sys; from compress_core.spec.schema import json_schema; json_schema();"
        "sys.exit(bool({'numpy', 'yaml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
