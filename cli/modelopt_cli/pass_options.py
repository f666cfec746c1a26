"""Flags of a pass, made from the fields of its dataclass; and ``--pass``, the same in one word."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import click

from compress_core import registry
from compress_core.errors import UsageError
from compress_core.fields import Option, Scalar, options_of
from compress_core.near import did_you_mean
from compress_core.spec import scalar
from modelopt_cli.command import Flag
from modelopt_cli.completion import one_of

_METAVARS = {int: "N", float: "X", str: "WORD"}
_LISTS = ("match", "ignore")


def options_of_pass(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of a pass; it gets those that were given as ``chosen``."""
    described = options_of(registry.get("passes", name))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def command(*positional: Any, **given: Any) -> Any:
            asked = {key: given.pop(key) for key in described}
            chosen = {key: value for key, value in asked.items() if value is not None}
            return function(*positional, chosen=chosen, **given)

        for key, (option, default) in reversed(described.items()):
            _add_flag(
                command,
                key,
                option,
                help=_help(option, default),
                section=f"{name} options".capitalize(),
            )
        return command

    return decorate


def _add_flag(command: Callable[..., Any], key: str, option: Option, **details: str) -> None:
    name = key.replace("_", "-")
    if option.type is bool:
        click.option(f"--{name}/--no-{name}", key, cls=Flag, default=None, **details)(command)
    else:
        click.option(
            f"--{name}",
            key,
            cls=Flag,
            type=_reader(f"--{name}", option),
            metavar=_METAVARS[option.type],
            shell_complete=one_of(lambda _: option.choices),
            **details,
        )(command)


def _help(option: Option, default: Scalar) -> str:
    accepted = "" if option.type is bool else f": {option.accepts()}"
    otherwise = option.otherwise if default is None else f"default: {default}"
    text = f"{option.help[0].upper()}{option.help[1:]}{accepted}"
    return f"{text}  [{otherwise}]" if otherwise else text


def _reader(flag: str, option: Option) -> Callable[[str], Scalar]:
    """What a field accepts, refused in the same words as in a spec file."""

    def read(text: str) -> Scalar:
        return option.check(flag, _parsed(option, text))

    return read


def _parsed(option: Option, text: str) -> Scalar:
    return text if option.type is str else scalar(text)


def parse_pass(text: str) -> dict[str, Any]:
    """``'prune sparsity=0.5 match=*.mlp.*'`` as an entry of ``passes:`` in a spec file.

    :raises UsageError: no pass of that name, or one of its options is wrong.
    """
    name, *pairs = _words(text)
    described = options_of(registry.get("passes", name))
    config: dict[str, Any] = {"pass": name}
    for key, value in _pairs(pairs, text):
        if key in _LISTS:
            config.setdefault(key, []).append(value)
        elif key in config:
            raise UsageError(f"--pass: {key} is given twice", where=text)
        elif key in described:
            option = described[key][0]
            config[key] = option.check(f"--pass: {key}", _parsed(option, value))
        else:
            raise UsageError(
                f"--pass: {name} has no option {key}",
                where=text,
                hint=did_you_mean(key, [*described, *_LISTS], "options"),
            )
    return config


def _words(text: str) -> list[str]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars="")
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""  # patterns may be regular expressions
    try:
        words = list(lexer)
    except ValueError:
        raise UsageError("--pass: a quotation mark is not closed", where=text) from None
    if not words:
        raise UsageError("--pass is empty", hint="try --pass 'prune sparsity=0.5'")
    return words


def _pairs(words: list[str], text: str) -> Iterator[tuple[str, str]]:
    for word in words:
        key, sign, value = word.partition("=")
        if not sign:
            raise UsageError(
                f"--pass: {word} has no value",
                where=text,
                hint=f"write {word}=…, without spaces around =",
            )
        yield key.replace("-", "_"), value
