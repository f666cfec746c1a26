"""Gates as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compress_core.dtypes import DTYPES
from compress_core.errors import UsageError
from compress_core.gates import Gate, Growth, Limit, Origin
from compress_core.gates.gate import needs
from compress_core.select import Pattern, patterns
from compress_core.tensors import TensorInfo

MAX = (Limit("max", 1.0),)


def info(name: str, code: str = "F32", elements: int = 4) -> TensorInfo:
    return TensorInfo(name, DTYPES[code], (elements,), elements * DTYPES[code].bits // 8)


@pytest.mark.parametrize(
    "parts",
    [
        {"metric": "speed"},
        {"limits": ()},
        {"over": "file"},
        {"over": "tensor"},
        {"match": patterns(["a"])},
        {"baseline": "b.json"},
        {"metric": "error", "limits": (Limit("max_growth", Growth(1)),)},
    ],
)
def test_what_does_not_go_together(parts: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Gate(**{"metric": "size", "limits": MAX, **parts})


def test_patterns_say_which_tensors() -> None:
    gate = Gate("error", MAX, match=patterns(["*.mlp.*"]), ignore=patterns(["*.1.*"]))
    assert [gate.takes(name) for name in ("a.0.mlp.w", "a.1.mlp.w", "head")] == [True, False, False]
    assert Gate("error", MAX).takes("anything")


def test_where_a_limit_stands_does_not_make_it_another() -> None:
    here = Limit("max", 1.0, Origin("gates[0].max", "a.yaml", 3, 5))
    assert Gate("size", (here,)) == Gate("size", MAX)
    assert str(here.origin) == "a.yaml:3:5  gates[0].max"
    assert str(Origin("--max-size")) == "--max-size"


def test_a_baseline_lies_beside_the_file_that_names_it() -> None:
    def gate(origin: Origin) -> Gate:
        return Gate("size", (Limit("max_growth", Growth(1), origin),), baseline="b.json")

    assert gate(Origin("x", "sub/a.yaml", 1, 1)).baseline_path() == Path("sub/b.json")
    assert gate(Origin("x")).baseline_path() == Path("b.json")
    assert Gate("size", (Limit("max_growth", Growth(1)),)).baseline_path() is None


def test_only_what_is_asked_for_must_be_known() -> None:
    assert needs([Gate("size", MAX), Gate("bits_per_weight", MAX)]) == set()
    assert needs([Gate("error", MAX), Gate("max_abs", MAX)]) == {"errors"}
    assert needs([Gate("zeros", MAX), Gate("ratio", MAX)]) == {"zeros", "plain"}


@pytest.mark.parametrize(
    ("gate", "found"),
    [
        (Gate("size", MAX), True),
        (Gate("tensor_bytes", MAX, match=patterns(["i"])), True),
        (Gate("tensor_bytes", MAX, match=(Pattern("x"),)), False),
        (Gate("error", MAX, match=patterns(["i"])), False),
        (Gate("zeros", MAX, match=patterns(["w"])), True),
        (Gate("error", MAX, match=patterns(["empty"])), False),
    ],
)
def test_whether_there_is_anything_to_measure(gate: Gate, found: bool) -> None:
    assert gate.finds([info("w"), info("i", "I32"), info("empty", elements=0)]) == found
