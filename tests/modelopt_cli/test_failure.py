"""What is said when gates fail."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from compress_core.gates import Check, Gate, Growth, Limit, Measurement, Origin, Verdict
from modelopt_cli.failure import gate_error

PYPROJECT = "tool.modelopt.check.gates[0].max"


def verdict(origin: Origin, metric: str = "size", *, growing: bool = False) -> Verdict:
    if growing:
        growth = Limit("max_growth", Growth(1), origin)
        return Verdict("m s", Gate(metric, (growth,)), growth, 2, 1, 1, before=1, baseline="b.json")
    limit = Limit("max", 1, origin)
    return Verdict("m s", Gate(metric, (limit,)), limit, 2, 1, 1)


def check(*verdicts: Verdict, original: str | None = None) -> Check:
    good = Limit("max", 5)
    passed = Verdict("m s", Gate("size", (good,)), good, 1, 5, 1)
    files = (Measurement("m s", 1, (), original=original),)
    return Check((passed, *verdicts), files, "0")


def here(line: int, file: str = "pyproject.toml", said: str = PYPROJECT) -> Origin:
    return Origin(said, file, line, 1)


@pytest.mark.parametrize(
    ("origins", "said"),
    [
        ([here(12)], "Limit set in pyproject.toml [tool.modelopt.check], line 12."),
        (
            [here(9), here(3), here(3)],
            "Limits set in pyproject.toml [tool.modelopt.check], lines 3, 9.",
        ),
        ([here(7, "w4.yaml", "gates[0].max")], "Limit set in w4.yaml, line 7."),
        ([Origin("--max-size")], "Limit set by --max-size."),
        ([Origin("--max-size"), here(2, "a", "x")], "Limits set by --max-size and in a, line 2."),
        (
            [here(n, "a", "x") for n in range(1, 9)],
            "Limits set in a, lines 1, 2, 3, 4, 5 and 3 more.",
        ),
    ],
)
def test_where_the_limits_stand(origins: Sequence[Origin], said: str) -> None:
    count = len(origins)
    error = gate_error(check(*map(verdict, origins)))
    assert error.message == f"{count} of {count + 1} gates failed. {said}"


def test_what_was_not_written_is_said() -> None:
    error = gate_error(check(verdict(here(1))), written=False)
    assert error.message.startswith("1 of 2 gates failed; nothing was written. ")


@pytest.mark.parametrize(
    ("metric", "original", "hint"),
    [
        ("size", "o", "modelopt plan o --compare W8A16,W4A16,W3A16"),
        ("ratio", "o'", "modelopt plan 'o'\"'\"'' --compare W8A16,W4A16,W3A16"),
        ("size", None, "modelopt inspect 'm s' --per-tensor"),
        ("error", "o", "modelopt diff o 'm s' --per-tensor"),
        ("error", None, "modelopt inspect 'm s' --per-tensor"),
    ],
)
def test_what_to_run_next(metric: str, original: str | None, hint: str) -> None:
    assert gate_error(check(verdict(here(1), metric), original=original)).hint == hint


def test_growth_may_be_meant() -> None:
    error = gate_error(check(verdict(here(1), growing=True), original="o"))
    assert error.hint == (
        "modelopt plan o --compare W8A16,W4A16,W3A16 — or, if it is meant to grow, delete its line"
        " in b.json and run again with --update-baseline"
    )


def test_what_is_not_there_cannot_be_compared() -> None:
    error = gate_error(check(verdict(here(1), "error"), original="o"), written=False)
    assert error.hint is not None
    assert "--ignore PATTERN" in error.hint
