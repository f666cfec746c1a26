"""Verdicts in words."""

from __future__ import annotations

import math
from typing import Any

import pytest

from compress_core.gates import Gate, Growth, Limit, Origin, Verdict, wording
from compress_core.gates.verdict import TensorFigure
from compress_core.select import patterns

MIB = 1024**2


def verdict(
    metric: str, kind: str, value: float | Growth, now: float, *, gate: Any = None, **more: Any
) -> Verdict:
    limit = Limit(kind, value)  # type: ignore[arg-type]
    bound = more.pop("bound", None if isinstance(value, Growth) else value)
    found = Gate(metric, (limit,), **(gate or {}))
    return Verdict("models/tiny.safetensors", found, limit, now, bound, 3, **more)


@pytest.mark.parametrize(
    ("found", "limit", "now", "slack"),
    [
        (verdict("size", "max", 4 * MIB, 5 * MIB), "≤ 4.00 MiB", "5.00 MiB", "−1.00 MiB"),
        (verdict("size", "min", 10, 12), "≥ 10 B", "12 B", "+2 B"),
        (verdict("ratio", "min", 3.0, 2.5), "≥ 3.00×", "2.50×", "−0.50×"),
        (verdict("error", "max", 0.2, 0.159), "≤ 0.200", "0.159", "+0.0410"),
        (verdict("error", "max", 0.2, 0.0), "≤ 0.200", "0", "+0.200"),
        (verdict("error", "max", 0.2, math.inf), "≤ 0.200", "∞", "−∞"),
        (verdict("sqnr_db", "min", -3.0, math.inf), "≥ -3.00 dB", "∞", "∞"),
        (verdict("zeros", "min", 0.5, 0.25), "≥ 50.00 %", "25.00 %", "−25.00 %"),
        (verdict("bits_per_weight", "max", 4.5, 4.25), "≤ 4.500 bits", "4.250 bits", "+0.250 bits"),
    ],
)
def test_limits(found: Verdict, limit: str, now: str, slack: str) -> None:
    assert (wording.limit(found), wording.now(found), wording.slack(found)) == (limit, now, slack)


@pytest.mark.parametrize(
    ("growth", "now", "bound", "words"),
    [
        (Growth(percent=1.0), 1020, 1010, ("+1 %", "+2.00 %", "−1.00 pp")),
        (Growth(percent=0.5), 900, 1005, ("+0.5 %", "−10.00 %", "+10.50 pp")),
        (Growth(nbytes=64), 1020, 1064, ("+64 B", "+20 B", "+44 B")),
        (Growth(1.0, 64), 1100, 1064, ("+1 %, +64 B", "+100 B", "−36 B")),
    ],
)
def test_growth(growth: Growth, now: int, bound: int, words: tuple[str, ...]) -> None:
    found = verdict("size", "max_growth", growth, now, bound=bound, before=1000, baseline="b.json")
    assert (wording.limit(found), wording.now(found), wording.slack(found)) == words
    assert "(was 1000 B, is " in wording.sentence(found)


def test_growth_from_nothing_has_no_percentage() -> None:
    found = verdict(
        "size", "max_growth", Growth(percent=1.0), 10, bound=0, before=0, baseline="b.json"
    )
    assert (wording.now(found), wording.slack(found)) == ("+10 B", "−10 B")


def test_a_new_file_has_a_size() -> None:
    found = verdict("size", "max_growth", Growth(percent=1.0), 10, baseline="b.json")
    assert (wording.now(found), wording.slack(found)) == ("10 B", "—")


@pytest.mark.parametrize(
    ("found", "alone", "several"),
    [
        (verdict("size", "max", 1, 1), "size tiny", "size models/tiny"),
        (
            verdict("error", "max", 1, 1, gate={"match": patterns(["a.*", "b"])}),
            "error a.*, b",
            "error a.*, b in models/tiny",
        ),
        (
            verdict("error", "max", 1, 1, gate={"ignore": patterns(["a"]), "over": "tensor"}),
            "error each of not a",
            "error each of not a in models/tiny",
        ),
        (
            verdict("error", "max", 1, 1, gate={"over": "tensor"}),
            "error each of its tensors",
            "error each of its tensors in models/tiny",
        ),
        (
            verdict("size", "max_growth", Growth(1), 1, baseline="ci/b.json"),
            "growth vs b.json",
            "growth models/tiny vs b.json",
        ),
        (
            verdict("tensor_bytes", "max_growth", Growth(1), 1, baseline="b.json"),
            "tensor_bytes growth vs b.json",
            "tensor_bytes growth models/tiny vs b.json",
        ),
    ],
)
def test_labels(found: Verdict, alone: str, several: str) -> None:
    assert wording.label(found, alone=True) == alone
    assert wording.label(found, alone=False) == several


def test_the_worst_tensors_are_named() -> None:
    breaches = tuple(TensorFigure(f"t{index}", 0.9 - index / 10) for index in range(7))
    found = verdict("error", "max", 0.2, 0.9, gate={"over": "tensor"}, breaches=breaches)
    assert wording.sentence(found) == (
        "models/tiny.safetensors: error 0.900, limit ≤ 0.200; 7 of 3 tensors beyond the limit:"
        " t0 0.900, t1 0.800, t2 0.700, t3 0.600, t4 0.500 and 2 more"
    )


@pytest.mark.parametrize(
    ("found", "limit", "now", "slack"),
    [
        (
            verdict("size", "max", 4 * MIB, 4 * MIB + 100),
            "≤ 4.0000 MiB",
            "4.0001 MiB",
            "−100 B",
        ),
        (verdict("size", "min", MIB, MIB - 1), "≥ 1.000 MiB", "1023.999 KiB", "−1 B"),
        (verdict("ratio", "min", 3.0, 2.9999), "≥ 3.0000×", "2.9999×", "−0.0001×"),
        (verdict("error", "max", 0.2, 0.200004), "≤ 0.200000", "0.200004", "−4.00e-06"),
        (verdict("zeros", "min", 0.5, 0.499999), "≥ 50.0000 %", "49.9999 %", "−0.0001 %"),
        (verdict("sqnr_db", "min", 20.0, 19.999), "≥ 20.000 dB", "19.999 dB", "−0.001 dB"),
        (
            verdict("bits_per_weight", "max", 4.5, 4.50001),
            "≤ 4.50000 bits",
            "4.50001 bits",
            "−0.00001 bits",
        ),
        # only what fails has to be told apart
        (verdict("size", "max", 4 * MIB + 1, 4 * MIB), "≤ 4.00 MiB", "4.00 MiB", "+1 B"),
    ],
)
def test_rounding_hides_no_breach(found: Verdict, limit: str, now: str, slack: str) -> None:
    said = (wording.limit(found), wording.now(found), wording.slack(found))
    assert said == (limit, now, slack)


@pytest.mark.parametrize(
    ("growth", "now", "bound", "words"),
    [
        (Growth(percent=1.0), 10_100_001, 10_100_000, ("+1 %", "+1.00001 %", "−0.00001 pp")),
        (Growth(nbytes=65536), 10_065_537, 10_065_536, ("+64.000 KiB", "+64.001 KiB", "−1 B")),
    ],
)
def test_rounding_hides_no_growth(
    growth: Growth, now: int, bound: int, words: tuple[str, ...]
) -> None:
    found = verdict(
        "size", "max_growth", growth, now, bound=bound, before=10_000_000, baseline="b.json"
    )
    assert (wording.limit(found), wording.now(found), wording.slack(found)) == words


def test_not_even_that_of_a_single_byte() -> None:
    growth = Growth(percent=0.0)
    before = 5 * 1024 * MIB
    found = verdict(
        "size", "max_growth", growth, before + 1, bound=before, before=before, baseline="b.json"
    )
    assert wording.now(found) == "+0.00000002 %"
    assert "(was 5.000000000 GiB, is 5.000000001 GiB)" in wording.sentence(found)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (verdict("size", "max", 4 * MIB, 5 * MIB), "size 5.00 MiB is over the limit of 4.00 MiB"),
        (verdict("ratio", "min", 3.0, 2.5), "ratio 2.50× is under the limit of 3.00×"),
        (
            verdict("error", "max", 0.2, 0.3, gate={"match": patterns(["a.*"])}),
            "error a.* 0.300 is over the limit of 0.200",
        ),
        (
            verdict(
                "size",
                "max_growth",
                Growth(percent=1.0),
                1020,
                bound=1010,
                before=1000,
                baseline="b.json",
            ),
            "size +2.00 % is over the limit of +1 % vs b.json, was 1000 B, is 1020 B",
        ),
        (
            verdict("error", "max", 0.2, 0.9, gate={"over": "tensor"}, worst="up.weight"),
            "error of up.weight 0.900 is over the limit of 0.200",
        ),
        (
            verdict(
                "error",
                "max",
                0.2,
                0.9,
                gate={"over": "tensor"},
                worst="a",
                breaches=(TensorFigure("a", 0.9), TensorFigure("b", 0.3)),
            ),
            "error of a 0.900 is over the limit of 0.200, and 1 more of 3 tensors is",
        ),
    ],
)
def test_a_breach_in_a_sentence(found: Verdict, said: str) -> None:
    assert wording.breach(found) == said


def test_a_place_is_as_editors_take_it() -> None:
    assert wording.place(Origin("gates[0].max", "w4.yaml", 14, 3)) == "w4.yaml:14"
    assert wording.place(Origin("--max-size")) == "--max-size"
