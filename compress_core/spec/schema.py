"""The grammar of the spec as JSON Schema (draft 2020-12), for editors and other programs.

Made from the same fields as flags and YAML keys: what an option accepts is written once. A schema
judges each value by itself, so it lets pass what only the loader can refuse: options that do not go
together, a regular expression that is none, a size of nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from compress_core import registry
from compress_core.dtypes import DTYPES
from compress_core.fields import Option, Scalar, options_of
from compress_core.passes.base import Pass
from compress_core.select import CLASSES, Where
from compress_core.spec.gate_schema import SIZE, gate_schema
from compress_core.spec.model import MAX_NAME, NOT_IN_NAMES, VERSION, Output

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def json_schema() -> Schema:
    """The schema of a spec, with every registered pass; the same for the same passes."""
    passes: dict[str, type[Pass]] = registry.all_of("passes")
    return {
        "$schema": DIALECT,
        "title": "modelopt spec",
        "description": "What is to be done to the weights of a neural network.",
        **_object(
            {
                "version": {"description": "version of this grammar", "const": VERSION},
                "name": _name(),
                "select": _ref("select", "which tensors, for all passes"),
                "passes": {
                    "description": "what is done to the weights, in order",
                    "type": "array",
                    "items": {"$ref": "#/$defs/step"},
                },
                "gram": {
                    "description": "file of Gram matrices, by which passes fit what layers give",
                    "type": "string",
                    "minLength": 1,
                },
                "output": _ref("output", "how the result is stored"),
                "gates": {
                    "description": "what the result may cost; judged when it is known",
                    "type": "array",
                    "items": {"$ref": "#/$defs/gate"},
                },
                "report": {
                    "description": "files that the result is also written to: .json, .md, .csv",
                    **_list_or_one({"type": "string", "minLength": 1}),
                },
            },
            required=("version",),
        ),
        "$defs": {
            "select": _object(_selecting()),
            "step": _step(passes),
            **{f"pass.{name}": _pass(name, cls) for name, cls in passes.items()},
            **{f"rule.{name}": _rule(cls) for name, cls in passes.items()},
            "where": _where(),
            "output": _output(),
            "gate": gate_schema(),
            "pattern": _pattern(),
            "patterns": _list_or_one({"$ref": "#/$defs/pattern"}),
        },
    }


def _step(passes: Mapping[str, type[Pass]]) -> Schema:
    """A branch for each pass, so that an editor offers the keys of the one that is named."""
    return {
        "type": "object",
        "required": ["pass"],
        "properties": {
            "pass": {
                "description": "which pass",
                "anyOf": [
                    {"const": name, "description": cls.summary} for name, cls in passes.items()
                ],
            }
        },
        "allOf": [
            {
                "if": {"required": ["pass"], "properties": {"pass": {"const": name}}},
                "then": {"$ref": f"#/$defs/pass.{name}"},
            }
            for name in passes
        ],
    }


def _pass(name: str, cls: type[Pass]) -> Schema:
    rules = {
        "description": "other options for some tensors; the first rule that matches wins",
        "type": "array",
        "items": {"$ref": f"#/$defs/rule.{name}"},
    }
    keys = {"pass": {"const": name}, **_options(cls), **_selecting(), "rules": rules}
    return _object(keys, required=("pass",), description=cls.summary)


def _rule(cls: type[Pass]) -> Schema:
    """A rule may take an option back to its default, by ``null``."""
    options = {
        key: {"description": option.help, "anyOf": [*_ways(option), {"type": "null"}]}
        for key, (option, _) in options_of(cls).items()
    }
    return _object({"match": _match(), **options}, required=("match",))


def _options(cls: type) -> dict[str, Schema]:
    return {key: _option(option, default) for key, (option, default) in options_of(cls).items()}


def _option(option: Option, default: Scalar) -> Schema:
    ways = _ways(option)
    accepted = ways[0] if len(ways) == 1 else {"anyOf": ways}
    return {**_described(option, default), **accepted}


def _described(option: Option, default: Scalar) -> Schema:
    if default is not None:
        return {"description": option.help, "default": default}
    otherwise = f" (when not given: {option.otherwise})" if option.otherwise else ""
    return {"description": f"{option.help}{otherwise}"}


def _ways(option: Option) -> list[Schema]:
    """What an option accepts, one schema for each kind of value."""
    if option.type is bool:
        return [{"type": "boolean"}]
    return [*_numbers(option), *_words(option)]


def _numbers(option: Option) -> list[Schema]:
    if option.type not in (int, float):
        return []
    number: Schema = {"type": "integer" if option.type is int else "number"}
    bounds = {"minimum": option.minimum, "maximum": option.maximum}
    return [number | {key: bound for key, bound in bounds.items() if bound is not None}]


def _words(option: Option) -> list[Schema]:
    ways = _any_case(option.choices)
    # without an example, a pattern lets words through only to be refused by name
    if option.pattern is not None and (option.examples or not option.choices):
        ways.append(_matching(option.pattern, examples=[_word(one) for one in option.examples]))
    return ways + [_matching(alias) for alias, _ in option.aliases]


def _word(example: str) -> str:
    """``16x4 (a block)`` → ``16x4``."""
    return example.partition(" ")[0]


def _any_case(words: Iterable[str]) -> list[Schema]:
    """The words themselves, for editors to offer, and the same in other case."""
    known = list(words)
    if not known:
        return []
    return [
        {"enum": known},
        _matching("|".join("".join(map(_either_case, word)) for word in known)),
    ]


def _either_case(letter: str) -> str:
    upper, lower = letter.upper(), letter.lower()
    if upper != lower:
        return f"[{upper}{lower}]"
    # JavaScript refuses to escape what has no meaning of its own
    return letter if letter == "-" else re.escape(letter)


def _matching(pattern: str, examples: Iterable[str] = ()) -> Schema:
    shown = list(examples)
    return {"type": "string", "pattern": f"^(?:{pattern})$"} | (
        {"examples": shown} if shown else {}
    )


def _selecting() -> dict[str, Schema]:
    return {
        "match": _match(),
        "ignore": _ref("patterns", "tensors that are kept as they are"),
        "where": _ref("where", "conditions on a tensor"),
    }


def _match() -> Schema:
    return {**_ref("patterns", "tensors that are meant; all, when not given"), "minItems": 1}


def _pattern() -> Schema:
    return {
        "description": "an exact name, a glob, or re: and a regular expression;"
        " tried on a tensor's name and on its module's",
        "type": "string",
        "minLength": 1,
        "not": {"enum": [*CLASSES, "re:"]},
    }


def _where() -> Schema:
    dtype = _list_or_one({"anyOf": _any_case(DTYPES)})
    return _object({**_options(Where), "dtype": {"description": "one of these dtypes", **dtype}})


def _output() -> Schema:
    options = _options(Output)
    options["layout"] = {
        "description": options["layout"]["description"],
        "default": options["layout"]["default"],
        "enum": ["auto", *registry.names("layouts")],
    }
    options["shard_size"] = {
        "description": options["shard_size"]["description"],
        **_matching(SIZE, examples=["4 GiB"]),
    }
    return _object(options)


def _name() -> Schema:
    unsafe = re.escape(NOT_IN_NAMES)
    inside, ends = f"[^{unsafe}]", f"[^{unsafe} .]"
    return {
        "description": "for reports and file names",
        "maxLength": MAX_NAME,
        **_matching(f"{ends}(?:{inside}*{ends})?"),
    }


def _list_or_one(item: Schema) -> Schema:
    return {"anyOf": [item, {"type": "array", "items": item}]}


def _ref(name: str, description: str) -> Schema:
    return {"description": description, "$ref": f"#/$defs/{name}"}


def _object(
    properties: Mapping[str, Schema],
    *,
    required: Iterable[str] = (),
    description: str | None = None,
) -> Schema:
    needed = list(required)
    return {
        **({"description": description} if description else {}),
        "type": "object",
        "properties": dict(properties),
        **({"required": needed} if needed else {}),
        "additionalProperties": False,
    }
