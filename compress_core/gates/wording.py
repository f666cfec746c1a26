"""Verdicts in words: what was limited, the limit, what it is now, and how far they are apart.

Numbers are rounded for reading, but never so that a figure looks like the limit that it breaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from compress_core.gates.gate import Origin
from compress_core.gates.growth import Growth
from compress_core.gates.verdict import TensorFigure, Verdict
from compress_core.sizes import human

_FEW = 5
_MOST_DIGITS = 17
"""Two floats that agree in so many are one."""

_NOTHING = "—"

Form = Callable[[float, int], str]
"""How a number is written, with so many digits more than usual."""


def label(verdict: Verdict, *, alone: bool) -> str:
    """``size tiny.w4a16``, ``growth vs baseline.json``, ``error layers.*.mlp.*``.

    :param alone: whether it is the only file, which then need not be named where tensors are.
    """
    shown = Path(verdict.file).name if alone else verdict.file
    return _labelled(verdict, shown.removesuffix(".safetensors"), alone=alone)


def title(verdict: Verdict, *, alone: bool) -> str:
    """The same for those who have no table: the file is called as it is."""
    return _labelled(verdict, Path(verdict.file).name if alone else verdict.file, alone=alone)


def _labelled(verdict: Verdict, shown: str, *, alone: bool) -> str:
    gate = verdict.gate
    if verdict.baseline is not None:
        what = "growth" if gate.metric == "size" else f"{gate.metric} growth"
        file = "" if alone else f" {shown}"
        return f"{what}{file} vs {Path(verdict.baseline).name}"
    if not gate.narrowed:
        return f"{gate.metric} {shown}"
    return f"{_narrowed(verdict)}{'' if alone else f' in {shown}'}"


def _narrowed(verdict: Verdict) -> str:
    """A metric and its tensors: ``error each of layers.*, not layers.0.*``."""
    gate = verdict.gate
    tensors = [pattern.text for pattern in gate.match]
    tensors += [f"not {pattern.text}" for pattern in gate.ignore]
    each = "each of " if gate.over == "tensor" else ""
    return f"{gate.metric} {each}{', '.join(tensors) or 'its tensors'}"


def limit(verdict: Verdict) -> str:
    """What is allowed."""
    if isinstance(verdict.limit.value, Growth):
        return _allowed(verdict)
    return f"{'≥' if verdict.limit.kind == 'min' else '≤'} {_allowed(verdict)}"


def _allowed(verdict: Verdict) -> str:
    value, more = verdict.limit.value, _digits(verdict)
    if isinstance(value, Growth):
        return ", ".join(_growth_parts(value, more))
    return _written(_FORMS[verdict.gate.measures.unit], value, more)


def _growth_parts(growth: Growth, more: int) -> list[str]:
    # as somebody wrote it: a percentage is not rounded
    parts = [] if growth.percent is None else [f"+{growth.percent:.15g} %"]
    return parts if growth.nbytes is None else [*parts, _signed(growth.nbytes, more)]


def now(verdict: Verdict) -> str:
    """What was measured; of a growth, the difference."""
    form, found, _ = _figures(verdict)
    return _written(form, found, _digits(verdict))


def slack(verdict: Verdict) -> str:
    """How far it is from the limit; negative beyond it."""
    far = verdict.slack
    if far is None:
        return _NOTHING
    form, _, _ = _figures(verdict)
    if form is _percent and verdict.before:
        far = 100 * far / verdict.before
    more = _apart(form, abs(far), 0.0) if verdict.failed else 0
    if form is _percent:
        return f"{_percent(far, more)[:-2]} pp"
    if math.isinf(far) or form is _signed:
        return _written(form, far, more)
    return ("+" if far >= 0 else "−") + form(abs(far), more)


def sentence(verdict: Verdict) -> str:
    """A failed verdict for those who do not see the table."""
    said = f"{verdict.file}: {verdict.gate.metric} {now(verdict)}, limit {limit(verdict)}"
    if verdict.before is not None:
        said += f" vs {verdict.baseline} ({_was(verdict, verdict.before)})"
    return f"{said}; {beyond(verdict)}" if verdict.breaches else said


def breach(verdict: Verdict) -> str:
    """A failed verdict of a file that is named already: ``size 5 B is over the limit of 4 B``."""
    gate = verdict.gate
    what = _narrowed(verdict) if gate.narrowed else gate.metric
    if verdict.worst is not None:
        what = f"{gate.metric} of {verdict.worst}"
    beyond = "under" if verdict.limit.kind == "min" else "over"
    said = f"{what} {now(verdict)} is {beyond} the limit of {_allowed(verdict)}"
    if verdict.before is not None:
        said += f" vs {verdict.baseline}, {_was(verdict, verdict.before)}"
    others = len(verdict.breaches) - 1
    verb = "is" if others == 1 else "are"
    return f"{said}, and {others} more of {verdict.measured} tensors {verb}" if others > 0 else said


def place(origin: Origin) -> str:
    """Where a limit stands, as briefly as an editor takes it: ``w4.yaml:14``, ``--max-size``."""
    return origin.said if origin.file is None else f"{origin.file}:{origin.line}"


def beyond(verdict: Verdict) -> str:
    """The worst of the tensors beyond the limit, and how many more there are."""
    worst = [f"{one.name} {_breaking(verdict, one)}" for one in verdict.breaches[:_FEW]]
    more = len(verdict.breaches) - len(worst)
    rest = f" and {more} more" if more else ""
    noun = "tensor" if verdict.measured == 1 else "tensors"
    return (
        f"{len(verdict.breaches)} of {verdict.measured} {noun} beyond the limit:"
        f" {', '.join(worst)}{rest}"
    )


def _breaking(verdict: Verdict, one: TensorFigure) -> str:
    form, _, bound = _figures(verdict)
    return _written(form, one.now, _apart(form, one.now, bound))


def _was(verdict: Verdict, before: int) -> str:
    more = _apart(_size, before, verdict.now) if verdict.failed else 0
    return f"was {_size(before, more)}, is {_size(verdict.now, more)}"


def _figures(verdict: Verdict) -> tuple[Form, float, float | None]:
    """How the numbers of a verdict are written, what was measured, and what is allowed."""
    if verdict.before is None:
        return _FORMS[verdict.gate.measures.unit], verdict.now, verdict.bound
    added, value = verdict.now - verdict.before, verdict.limit.value
    # a growth reads best in percent if that is its only limit, and there is a whole
    if isinstance(value, Growth) and value.nbytes is None and verdict.before:
        return _percent, 100 * added / verdict.before, value.percent
    return _signed, added, None if verdict.bound is None else verdict.bound - verdict.before


def _digits(verdict: Verdict) -> int:
    """How many digits more than usual tell what was measured from the limit that it breaks."""
    return _apart(*_figures(verdict)) if verdict.failed else 0


def _apart(form: Form, one: float, other: float | None) -> int:
    """How many digits more than usual make two numbers look different; 0 if none do."""
    if other is None:
        return 0
    enough = (
        more
        for more in range(_MOST_DIGITS)
        if _written(form, one, more) != _written(form, other, more)
    )
    return next(enough, 0)


def _written(form: Form, value: float, more: int) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return form(value, more)


def _percent(value: float, more: int) -> str:
    return f"{'+' if value >= 0 else '−'}{abs(value):.{2 + more}f} %"


def _signed(count: float, more: int) -> str:
    return f"{'+' if count >= 0 else '−'}{_size(abs(count), more)}"


def _size(count: float, more: int) -> str:
    return human(int(count), 2 + more)


def _number(value: float, more: int) -> str:
    return f"{value:#.{3 + more}g}" if value else "0"


_FORMS: dict[str, Form] = {
    "bytes": _size,
    "times": lambda value, more: f"{value:.{2 + more}f}×",
    "bits": lambda value, more: f"{value:.{3 + more}f} bits",
    "share": lambda value, more: f"{100 * value:.{2 + more}f} %",
    "decibels": lambda value, more: f"{value:.{2 + more}f} dB",
    "number": _number,
}
