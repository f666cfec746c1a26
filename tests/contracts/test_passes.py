"""What every pass is before it sees any data: options that say what they mean, and go both ways."""

from __future__ import annotations

import dataclasses
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compress_core import from_config, registry
from compress_core.errors import UsageError
from compress_core.fields import Option, Scalar, options_of
from compress_core.passes.base import Pass
from compress_core.spec.loader import loads
from modelopt_cli import main
from tests.contracts import configs

PASSES = configs.PASSES
OPTIONS = [
    pytest.param(cls, key, described, default, id=f"{name}-{key}")
    for name, cls in PASSES.items()
    for key, (described, default) in options_of(cls).items()
]
MANY = settings(derandomize=True, deadline=None, database=None, max_examples=40)
each_pass = pytest.mark.parametrize("name", PASSES)


@each_pass
def test_a_pass_says_what_it_is(name: str) -> None:
    cls = PASSES[name]
    assert issubclass(cls, Pass)
    assert cls.id == name
    assert dataclasses.is_dataclass(cls)
    assert len(cls.summary) > 10
    assert "\n" not in cls.summary + name
    assert not cls.summary.endswith(".")
    assert cls.__doc__


@pytest.mark.parametrize(("cls", "key", "described", "default"), OPTIONS)
def test_an_option_says_what_it_means_and_takes(
    cls: type[Pass], key: str, described: Option, default: Scalar
) -> None:
    assert key == key.lower()
    assert key not in ("pass", "match", "ignore", "where", "rules"), "a word of the grammar"
    assert len(described.help) > 5
    assert "\n" not in described.help
    assert not described.help.endswith(".")
    assert described.accepts() != "text"
    if default is not None:
        assert described.check(key, default) == default


@pytest.mark.parametrize(("cls", "key", "described", "default"), OPTIONS)
def test_every_example_of_an_option_is_accepted(
    cls: type[Pass], key: str, described: Option, default: Scalar
) -> None:
    for word in (*described.choices, *(example.split()[0] for example in described.examples)):
        assert described.check(key, word) == word
    assert set(configs.tried(described)) - {None}


@pytest.mark.parametrize(("cls", "key", "described", "default"), OPTIONS)
def test_every_choice_of_an_option_is_part_of_some_configuration(
    cls: type[Pass], key: str, described: Option, default: Scalar
) -> None:
    occurring = {config[key] for config in configs.covering(cls) if key in config}
    assert occurring >= set(described.choices)
    if described.type is bool:
        assert occurring == {False, True}


@pytest.mark.parametrize(("cls", "key", "described", "default"), OPTIONS)
@pytest.mark.parametrize("value", [[], {}, b"4", "", "no such word \x1b[0m", float("nan"), 1e300])
def test_nonsense_is_refused_by_name(
    cls: type[Pass], key: str, described: Option, default: Scalar, value: Any
) -> None:
    with pytest.raises(UsageError) as caught:
        cls.from_config({key: value})
    assert caught.value.where == key
    assert key in caught.value.message
    assert "\x1b" not in caught.value.message


@each_pass
def test_a_configuration_comes_back_and_objects_compare_by_it(name: str) -> None:
    cls = PASSES[name]

    @MANY
    @given(configs.configs(cls), configs.configs(cls))
    def check(one: dict[str, Any], other: dict[str, Any]) -> None:
        made, second = cls.from_config(one), cls.from_config(other)
        config = made.config()
        assert json.loads(json.dumps(config)) == config
        again = cls.from_config(config)
        assert again == made
        assert hash(again) == hash(made)
        assert again.config() == config
        assert repr(again) == repr(made)
        assert eval(repr(made), {cls.__name__: cls}) == made
        assert (made == second) == (config == second.config())
        assert made.changed(made.difference(second)) == second

    check()


@each_pass
def test_a_pass_is_a_set_of_options_that_cannot_change(name: str) -> None:
    cls = PASSES[name]
    made = cls.from_config(configs.covering(cls)[0])
    for key in options_of(cls):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(made, key, None)


@each_pass
def test_an_unknown_option_is_refused_with_the_known_ones_at_hand(name: str) -> None:
    with pytest.raises(UsageError, match="unknown option: spelled_wrong") as caught:
        PASSES[name].from_config({"spelled_wrong": 1})
    assert caught.value.hint


def test_a_spec_of_any_passes_becomes_plain_data_and_comes_back() -> None:
    @MANY
    @given(configs.pipelines())
    def check(passes: list[dict[str, Any]]) -> None:
        spec = from_config({"version": 1, "passes": passes})
        plain = json.loads(json.dumps(spec.config()))
        assert from_config(plain) == spec
        assert from_config(plain).config() == plain
        assert loads(spec.to_yaml()) == spec

    check()


@pytest.fixture
def printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], str]:
    """What a command line prints."""
    monkeypatch.chdir(tmp_path)

    def run(arguments: list[str]) -> str:
        code = main.run([*arguments, "--print-spec"])
        out, err = capsys.readouterr()
        assert (code, err) == (0, ""), err
        return out

    return run


def _commands() -> list[str]:
    from modelopt_cli import commands

    folder = Path(next(iter(commands.__path__)))
    return [name for name in PASSES if (folder / f"{name.replace('-', '_')}.py").exists()]


def _flags(config: dict[str, Any]) -> list[str]:
    found = []
    for key, value in config.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            found.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            found += [f"--{flag}", str(value)]
    return found


def test_some_passes_have_a_command() -> None:
    assert {"prune", "quantize"} <= set(_commands())


@pytest.mark.parametrize("name", _commands())
def test_a_spec_becomes_flags_and_comes_back(
    name: str, printed: Callable[[list[str]], str]
) -> None:
    @settings(MANY, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(configs.entry(name))
    def check(entry: dict[str, Any]) -> None:
        spec = from_config({"version": 1, "passes": [entry]})
        config = spec.pipeline.steps[0].work.config()
        assert loads(printed([name, "absent.safetensors", *_flags(config)])) == spec

    check()


def test_a_spec_becomes_words_of_compress_and_comes_back(
    printed: Callable[[list[str]], str],
) -> None:
    @settings(MANY, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(configs.pipelines())
    def check(passes: list[dict[str, Any]]) -> None:
        spec = from_config({"version": 1, "passes": passes})
        arguments = []
        for entry in passes:
            own = {key: value for key, value in entry.items() if key != "pass"}
            pairs = [f"{key}={shlex.quote(_word(value))}" for key, value in own.items()]
            arguments += ["--pass", " ".join([entry["pass"], *pairs])]
        assert loads(printed(["compress", "absent.safetensors", *arguments])) == spec

    check()


def _word(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@given(st.sampled_from(sorted(PASSES)).flatmap(configs.entry))
@MANY
def test_help_and_options_agree_on_what_is_a_number(entry: dict[str, Any]) -> None:
    cls = PASSES[entry.pop("pass")]
    made = cls.from_config(entry)
    for key, (described, default) in options_of(cls).items():
        value = getattr(made, key)
        plain = value is None or isinstance(value, (described.type, str))
        assert plain, f"{key} became {value!r}"
        assert value is not None or default is None


@pytest.mark.parametrize("kind", ["passes", "layouts", "schemes"])
def test_importing_it_loads_no_numpy(kind: str) -> None:
    """``--help`` and plans come from options and headers; NumPy takes longer than both."""
    names = registry.names(kind)
    code = (
        "import sys; from compress_core import registry\n"
        f"for name in {names!r}:\n"
        f"    registry.get({kind!r}, name)\n"
        "    assert 'numpy' not in sys.modules, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
