"""Verdicts in words: what was limited, the limit, what it is now, and how far they are apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from compress_core.gates import Growth, Verdict
from compress_core.sizes import human
from modelopt_cli.render.numbers import NOTHING

_FEW = 5


def label(verdict: Verdict, *, alone: bool) -> str:
    """``size tiny.w4a16``, ``growth vs baseline.json``, ``error layers.*.mlp.*``.

    :param alone: whether it is the only file, which then need not be named where tensors are.
    """
    gate = verdict.gate
    shown = Path(verdict.file).name if alone else verdict.file
    shown = shown.removesuffix(".safetensors")
    if verdict.baseline is not None:
        what = "growth" if gate.metric == "size" else f"{gate.metric} growth"
        file = "" if alone else f" {shown}"
        return f"{what}{file} vs {Path(verdict.baseline).name}"
    tensors = [pattern.text for pattern in gate.match]
    tensors += [f"not {pattern.text}" for pattern in gate.ignore]
    each = "each of " if gate.over == "tensor" else ""
    if not gate.narrowed:
        return f"{gate.metric} {shown}"
    place = "" if alone else f" in {shown}"
    return f"{gate.metric} {each}{', '.join(tensors) or 'its tensors'}{place}"


def limit(verdict: Verdict) -> str:
    """What is allowed."""
    value = verdict.limit.value
    if isinstance(value, Growth):
        return ", ".join(_growth_parts(value))
    return f"{'≥' if verdict.limit.kind == 'min' else '≤'} {_shown(verdict, value)}"


def _growth_parts(growth: Growth) -> list[str]:
    parts = [] if growth.percent is None else [f"+{growth.percent:g} %"]
    return parts if growth.nbytes is None else [*parts, f"+{human(growth.nbytes)}"]


def now(verdict: Verdict) -> str:
    """What was measured; of a growth, the difference."""
    if verdict.before is None:
        return _shown(verdict, verdict.now)
    added = verdict.now - verdict.before
    return _percent(100 * added / verdict.before) if _in_percent(verdict) else _signed(added)


def slack(verdict: Verdict) -> str:
    """How far it is from the limit; negative beyond it."""
    far = verdict.slack
    if far is None:
        return NOTHING
    if math.isinf(far):
        return "∞" if far > 0 else "−∞"
    if verdict.before is not None:
        return (
            f"{_percent(100 * far / verdict.before)[:-2]} pp"
            if _in_percent(verdict)
            else (_signed(far))
        )
    if verdict.gate.measures.unit == "bytes":
        return _signed(far)
    return ("+" if far >= 0 else "−") + _shown(verdict, abs(far))


def sentence(verdict: Verdict) -> str:
    """A failed verdict for those who do not see the table."""
    said = f"{verdict.file}: {verdict.gate.metric} {now(verdict)}, limit {limit(verdict)}"
    if verdict.before is not None:
        said += (
            f" vs {verdict.baseline} (was {human(verdict.before)}, is {human(int(verdict.now))})"
        )
    return f"{said}; {beyond(verdict)}" if verdict.breaches else said


def beyond(verdict: Verdict) -> str:
    """The worst of the tensors beyond the limit, and how many more there are."""
    worst = [f"{one.name} {_shown(verdict, one.now)}" for one in verdict.breaches[:_FEW]]
    more = len(verdict.breaches) - len(worst)
    rest = f" and {more} more" if more else ""
    return (
        f"{len(verdict.breaches)} of {verdict.measured} tensors beyond the limit:"
        f" {', '.join(worst)}{rest}"
    )


def _in_percent(verdict: Verdict) -> bool:
    """Whether a growth reads best in percent: that is its only limit, and there is a whole."""
    value = verdict.limit.value
    return isinstance(value, Growth) and value.nbytes is None and bool(verdict.before)


def _percent(value: float) -> str:
    return f"{'+' if value >= 0 else '−'}{abs(value):.2f} %"


def _signed(count: float) -> str:
    return f"{'+' if count >= 0 else '−'}{human(int(abs(count)))}"


def _shown(verdict: Verdict, value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return _FORMS[verdict.gate.measures.unit](value)


_FORMS: dict[str, Callable[[float], str]] = {
    "bytes": lambda value: human(int(value)),
    "times": lambda value: f"{value:.2f}×",
    "bits": lambda value: f"{value:.3f} bits",
    "share": lambda value: f"{100 * value:.2f} %",
    "decibels": lambda value: f"{value:.2f} dB",
    "number": lambda value: f"{value:#.3g}" if value else "0",
}
