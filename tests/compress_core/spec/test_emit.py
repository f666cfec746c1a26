"""Plain data as YAML that reads the same everywhere."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compress_core.spec.document import parse
from compress_core.spec.emit import emit

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
DATA = st.dictionaries(
    st.text(max_size=20),
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    min_size=1,
    max_size=4,
)


def test_a_spec_reads_well() -> None:
    data = {
        "version": 1,
        "name": "edge",
        "select": {"ignore": ["lm_head", "*embed*"], "where": {"ndim": 2}},
        "passes": [
            {"pass": "prune", "sparsity": 0.5, "structure": "2of4", "match": ["*.mlp.*"]},
            {"pass": "quantize", "rules": [{"match": ["a" * 90], "bits": 8}]},
        ],
        "output": {"layout": "packed", "shard_size": "4 GiB"},
    }
    assert emit(data) == (
        "version: 1\n"
        "name: edge\n"
        "select:\n"
        '  ignore: [lm_head, "*embed*"]\n'
        "  where: {ndim: 2}\n"
        "passes:\n"
        "  - pass: prune\n"
        "    sparsity: 0.5\n"
        "    structure: 2of4\n"
        '    match: ["*.mlp.*"]\n'
        "  - pass: quantize\n"
        "    rules:\n"
        "      - match:\n"
        f"          - {'a' * 90}\n"
        "        bits: 8\n"
        "output: {layout: packed, shard_size: 4 GiB}\n"
    )


WORDS = (
    "yes No on OFF y n null True ~ 017 1e-3 2:4 1_0 0x10 .inf << = 2026-01-02 *a &a !a | re:.*"
    " \" ' \\ {a} [a] a,b é \U0001f600"
)
OTHERS = ("", " a", "a ", "a: b", "a #b", "- a", "a\nb", "\x00", "\x85", "\u2028", "\ufeff")


@pytest.mark.parametrize("text", [*WORDS.split(), *OTHERS])
def test_texts_stay_texts_for_every_reader(text: str) -> None:
    written = emit({"a": text, "b": [text]})
    assert parse(written, "f")[0] == {"a": text, "b": [text]}
    assert yaml.safe_load(written) == {"a": text, "b": [text]}


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-5, "1.0e-05"), (1e22, "1.0e+22"), (0.1, "0.1"), (1.0, "1.0"), (True, "true"), (7, "7")],
)
def test_numbers_read_the_same_in_both_versions_of_yaml(value: float, text: str) -> None:
    assert emit({"a": value}) == f"a: {text}\n"
    assert yaml.safe_load(emit({"a": value})) == {"a": value}


@given(DATA)
def test_whatever_is_written_is_read_again(data: dict[str, Any]) -> None:
    assert parse(emit(data), "f")[0] == data


@given(DATA)
def test_lines_end_and_hold_no_surprise(data: dict[str, Any]) -> None:
    text = emit(data)
    assert text.endswith("\n")
    assert text.replace("\n", "").isprintable()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(value: float) -> None:
    read = parse(emit({"a": value}), "f")[0]
    assert isinstance(read, dict)
    assert (read["a"], math.copysign(1, read["a"])) == (value, math.copysign(1, value))
