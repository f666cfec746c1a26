"""The grammar: every mistake is an error that says where, in a file and in a dictionary."""

from __future__ import annotations

import pytest

from compress_core import registry
from compress_core.errors import SpecError
from compress_core.fields import options_of
from compress_core.select import Pattern, Where
from compress_core.spec import from_config
from compress_core.spec.loader import loads

# text below "version: 1", part of the message, line:column, path, part of the hint
MISTAKES = [
    ("reports: [a.json]", "unknown key: 'reports'", "2:1", "reports", "mean report?"),
    ("report: 7", "report is not a list", "2:1", "report", "write [a, b]"),
    ("report: [a.json, 7]", "not text", "2:18", "report[1]", "quotes"),
    ("gates: {metric: size}", "gates is not a list", "2:1", "gates", "write [a, b]"),
    ("gates: [{max: 1}]", "which metric?", "2:9", "gates[0]", "write metric: size"),
    ("gates: [{metric: sise}]", "unknown metric", "2:10", "gates[0].metric", "mean size?"),
    ("gates: [{metric: size}]", "has no limit", "2:9", "gates[0]", "add max, min"),
    ("gates: [{metric: size, max: 10M}]", "unknown unit", "2:24", "gates[0].max", "10 MiB"),
    ("gates: [{metric: size, max: -1}]", "-1 is no limit", "2:24", "gates[0].max", "a size"),
    ("gates: [{metric: error, max: x}]", "'x' is no limit", "2:25", "gates[0].max", "a number"),
    ("gates: [{metric: zeros, min: 2}]", "2 is no limit", "2:25", "gates[0].min", "0 to 1"),
    ("gates: [{metric: error, max: true}]", "True is no limit", "2:25", "gates[0].max", ""),
    ("gates: [{metric: error, maks: 1}]", "unknown key", "2:25", "gates[0].maks", "keys: metric"),
    ("gates: [{metric: error, max: }]", "max has no value", "2:25", "gates[0].max", "leave"),
    (
        "gates: [{metric: size, max: 1, match: a}]",
        "size is of whole files",
        "2:32",
        "gates[0].match",
        "tensor_bytes",
    ),
    (
        "gates: [{metric: size, max: 1, over: tensor}]",
        "size is of whole files",
        "2:32",
        "gates[0].over",
        "tensor_bytes",
    ),
    (
        "gates: [{metric: error, max_growth: 1%}]",
        "no baseline holds error",
        "2:25",
        "gates[0].max_growth",
        "it holds size, tensor_bytes",
    ),
    (
        "gates: [{metric: tensor_bytes, max_growth: 1%, match: a}]",
        "a baseline is of whole files",
        "2:32",
        "gates[0].max_growth",
        "leave out match",
    ),
    (
        "gates: [{metric: size, max: 1, baseline: b.json}]",
        "a baseline without max_growth",
        "2:32",
        "gates[0].baseline",
        "add max_growth",
    ),
    (
        "gates: [{metric: size, max_growth: 1}]",
        "max_growth is not a mapping",
        "2:24",
        "gates[0].max_growth",
        "",
    ),
    (
        "gates: [{metric: size, max_growth: {}}]",
        "max_growth says nothing",
        "2:24",
        "gates[0].max_growth",
        "write '1%'",
    ),
    (
        "gates: [{metric: size, max_growth: {percent: -1}}]",
        "percent: -1",
        "2:37",
        "gates[0].max_growth.percent",
        "0 or more",
    ),
    (
        "gates: [{metric: size, max_growth: {bytes: 10}}]",
        "bytes is not text: 10",
        "2:37",
        "gates[0].max_growth.bytes",
        "64 KiB",
    ),
    (
        "gates: [{metric: size, max_growth: 1 %, 2 %}]",
        "unknown key",
        "2:41",
        'gates[0]."2 %"',
        "",
    ),
    ("pases: []", "unknown key: 'pases'", "2:1", "pases", "did you mean passes?"),
    ("name: 5", "name is not text: 5", "2:1", "name", "quotes"),
    ("name: a/b", "'a/b' is no name", "2:1", "name", "file name"),
    ("name:", "name is not text: None", "2:1", "name", "quotes"),
    ("select: [a]", "select is not a mapping", "2:1", "select", ""),
    ("select: {ignored: a}", "unknown key: 'ignored'", "2:10", "select.ignored", "mean ignore?"),
    ("select: {match: []}", "match is empty", "2:10", "select.match", "'*'"),
    ("select: {match: 5}", "match is not a list: 5", "2:10", "select.match", "write [a, b]"),
    ("select: {ignore: [a, 5]}", "ignore[1] is not text: 5", "2:22", "select.ignore[1]", "quotes"),
    ("select: {ignore: ''}", "empty pattern", "2:10", "select.ignore", "'*'"),
    (
        'select:\n  ignore:\n    - a\n    - "re:("',
        "not a regular expression",
        "5:7",
        "select.ignore[1]",
        "",
    ),
    ("select: {match: Linear}", "is a class", "2:10", "select.match", "where: {role: linear}"),
    ("select: {where: 2}", "where is not a mapping", "2:10", "select.where", ""),
    ("select: {where: {ndims: 2}}", "unknown key", "2:18", "select.where.ndims", "mean ndim?"),
    ("select: {where: {ndim: -1}}", "ndim: -1", "2:18", "select.where.ndim", "of 0 or more"),
    ("select: {where: {ndim: }}", "ndim has no value", "2:18", "select.where.ndim", "leave"),
    ("select: {where: {role: conv}}", "role: 'conv'", "2:18", "select.where.role", "embedding"),
    ("select: {where: {dtype: bf17}}", "unknown dtype", "2:18", "select.where.dtype", "BF16"),
    ("select: {where: {dtype: [F16, x]}}", "dtype: x", "2:31", "select.where.dtype[1]", "dtypes:"),
    ("passes: {pass: prune}", "passes is not a list", "2:1", "passes", "write [a, b]"),
    ("passes:", "passes is not a list: None", "2:1", "passes", "write [a, b]"),
    ("passes: [prune]", "passes[0] is not a mapping", "2:10", "passes[0]", ""),
    ("passes: [{prune: 0.5}]", "which pass?", "2:10", "passes[0]", "write pass: prune"),
    ("passes: [{bits: 4}]", "which pass?", "2:10", "passes[0]", "cast, prune, quantize"),
    ("passes: [{pass: 4}]", "pass is not text: 4", "2:11", "passes[0].pass", "quotes"),
    ("passes: [{pass: prun}]", "unknown pass: 'prun'", "2:11", "passes[0].pass", "mean prune?"),
    (
        "passes:\n  - pass: quantize\n    bits: 4\n    group-size: 8",
        "unknown key: 'group-size'",
        "5:5",
        "passes[0].group-size",
        "did you mean group_size?",
    ),
    (
        "passes:\n  - pass: prune\n    sparsity: 1.5",
        "sparsity: 1.5 is not accepted",
        "4:5",
        "passes[0].sparsity",
        "a number from 0 to 1",
    ),
    (
        "passes: [{pass: quantize, bits: 9}]",
        "bits: 9 is not accepted",
        "2:27",
        "passes[0].bits",
        "from 1 to 8",
    ),
    (
        "passes: [{pass: quantize, bits: '4'}]",
        "bits: '4' is not accepted",
        "2:27",
        "passes[0].bits",
        "a whole number",
    ),
    ("passes: [{pass: quantize, bits: }]", "bits has no value", "2:27", "passes[0].bits", "leave"),
    (
        "passes: [{pass: quantize, preset: W4A17}]",
        "unknown preset: 'W4A17'",
        "2:27",
        "passes[0].preset",
        "did you mean W4A16?",
    ),
    (
        "passes: [{pass: quantize, bits: 4, match: [a, Linear]}]",
        "is a class",
        "2:47",
        "passes[0].match[1]",
        "role: linear",
    ),
    (
        "passes: [{pass: quantize, bits: 4, rules: [{bits: 8}]}]",
        "a rule needs match",
        "2:44",
        "passes[0].rules[0]",
        "tensors",
    ),
    (
        "passes: [{pass: quantize, bits: 4, rules: [{match: a, ignore: b}]}]",
        "unknown key: 'ignore'",
        "2:55",
        "passes[0].rules[0].ignore",
        "keys: match, preset",
    ),
    (
        "passes: [{pass: quantize, bits: 4, rules: [{match: a, bits: 0}]}]",
        "bits: 0 is not accepted",
        "2:55",
        "passes[0].rules[0].bits",
        "from 1 to 8",
    ),
    (
        "passes: [{pass: quantize, bits: 4, rules: [{match: [], bits: 2}]}]",
        "match is empty",
        "2:45",
        "passes[0].rules[0].match",
        "'*'",
    ),
    (
        "passes: [{pass: prune, sparsity: 0.5, scope: global, rules: [{match: a, sparsity: 1}]}]",
        "a rule cannot split",
        "2:62",
        "passes[0].rules[0]",
        "another scope",
    ),
    (
        "passes: [{pass: prune, sparsity: 0.5, rules: [{match: a, scope: global}]}]",
        "a rule cannot split",
        "2:47",
        "passes[0].rules[0]",
        "another scope",
    ),
    ("output: packed", "output is not a mapping", "2:1", "output", ""),
    ("output: {layout: pakced}", "unknown layout", "2:10", "output.layout", "did you mean packed?"),
    ("output: {layout: 5}", "layout: 5", "2:10", "output.layout", "text"),
    ("output: {shard_size: 4096}", "is not text", "2:10", "output.shard_size", "4 GiB"),
    ("output: {shard_size: 10M}", "unknown unit", "2:10", "output.shard_size", "10 MiB"),
    ("output: {shard_size: 0 B}", "shard_size: 0", "2:10", "output.shard_size", "1 or more"),
    ("output: {on_exists: skip}", "'skip'", "2:10", "output.on_exists", "error, replace, resume"),
    ("output: {copy_side_files: no}", "'no'", "2:10", "output.copy_side_files", "true, false"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message", "position", "path", "hint"), MISTAKES)
def test_a_mistake_in_a_file_has_line_and_column(
    text: str, message: str, position: str, path: str, hint: str
) -> None:
    with pytest.raises(SpecError) as caught:
        loads(f"version: 1\n{text}\n", "a.yaml")
    assert message in caught.value.message
    assert caught.value.where == f"a.yaml:{position}  {path}"
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("config", "message", "where"),
    [
        ({}, "has no version", None),
        ({"version": 2}, "version 2 is not known", "version"),
        ({"version": True}, "version True is not known", "version"),
        ({"version": "1"}, "version '1' is not known", "version"),
        ({"version": 1, 5: 6}, "key 5 is not text", None),
        (
            {"version": 1, "passes": [{"pass": "prune"}]},
            "either sparsity or threshold",
            "passes[0]",
        ),
        ({"version": 1, "passes": "prune"}, "passes is not a list", "passes"),
        ({"version": 1, "passes": [{"pass": "prune", "x" * 99: 1}]}, "unknown key", "passes[0]."),
        (
            {"version": 1, "passes": [{"pass": "quantize", "bits": 10**5000}]},
            "bits: a number of more than 38 digits is not accepted",
            "passes[0].bits",
        ),
        (
            {"version": 1, "select": {"where": {"dtype": ["F32", "x"]}}},
            "unknown dtype",
            "select.where.dtype[1]",
        ),
    ],
    ids=range(10),
)
def test_a_mistake_in_a_dictionary_has_a_path(
    config: dict[str, object], message: str, where: str | None
) -> None:
    with pytest.raises(SpecError) as caught:
        from_config(config)
    assert message in caught.value.message
    assert (caught.value.where or "").startswith(where or "")
    assert (caught.value.where is None) == (where is None)


def test_a_pass_without_what_it_needs_is_blamed_as_a_whole() -> None:
    with pytest.raises(SpecError) as caught:
        loads("version: 1\npasses:\n  - pass: quantize\n  - {pass: prune}\n", "a.yaml")
    assert caught.value.where == "a.yaml:3:5  passes[0]"


def test_patterns_remember_where_they_stand() -> None:
    spec = loads('version: 1\nselect: {ignore: [a, "re:b"]}\n', "a.yaml")
    assert [pattern.where for pattern in spec.pipeline.select.ignore] == [
        "a.yaml:2:19  select.ignore[0]",
        "a.yaml:2:22  select.ignore[1]",
    ]
    assert from_config({"version": 1, "select": {"match": "a"}}).pipeline.select.match[0].where == (
        "select.match"
    )


def test_one_text_stands_for_a_list_of_one() -> None:
    one = {"version": 1, "select": {"match": "a", "ignore": "b", "where": {"dtype": "f16"}}}
    select = from_config(one).pipeline.select
    assert (select.match, select.ignore) == ((Pattern("a"),), (Pattern("b"),))
    assert select.where == Where(dtype=("F16",))


def test_selectors_of_a_pass_stand_beside_its_options() -> None:
    step = {"pass": "quantize", "bits": 4, "match": "a", "ignore": ["b"], "where": {"ndim": 2}}
    (found,) = from_config({"version": 1, "passes": [step]}).pipeline.steps
    assert found.work == registry.get("passes", "quantize")(bits=4)
    assert (found.select.match, found.select.where.ndim) == ((Pattern("a"),), 2)


def test_a_rule_changes_the_options_of_its_pass() -> None:
    quantize = registry.get("passes", "quantize")
    rules = [{"match": "a", "bits": 8}, {"match": ["b"], "group_size": None}, {"match": "c"}]
    step = {"pass": "quantize", "bits": 4, "group_size": 64, "rules": rules}
    (found,) = from_config({"version": 1, "passes": [step]}).pipeline.steps
    assert [rule.instead for rule in found.rules] == [
        quantize(bits=8, group_size=64),
        quantize(bits=4),
        found.work,
    ]


@pytest.mark.parametrize("name", registry.names("passes"))
def test_no_option_has_the_name_of_a_key_of_the_grammar(name: str) -> None:
    grammar = {"pass", "match", "ignore", "where", "rules"}
    assert not grammar & options_of(registry.get("passes", name)).keys()
