"""What an error says of the gates that failed: each in words, in figures, and with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from compress_core.gates import wording
from compress_core.gates.gate import Origin
from compress_core.gates.verdict import Verdict
from compress_core.report import finite

_FEW = 3


@dataclass(frozen=True)
class Breach:
    """A limit that was exceeded, as plain values: it may come from another process.

    :ivar title: what was limited: ``error layers.*.mlp.* in out/tiny.safetensors``.
    :ivar message: figure and limit, for those who know which file is meant.
    :ivar kind: ``max``, ``min`` or ``max_growth``.
    :ivar now: what was measured, in the metric's unit; ``None`` what is infinite.
    :ivar bound: what it may be at most, or at least; for growth, in bytes.
    """

    title: str
    message: str
    metric: str
    kind: str
    now: float | None
    bound: float | None
    origin: Origin

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """What a failed verdict says."""
        return cls(
            title=wording.title(verdict, alone=False),
            message=wording.breach(verdict),
            metric=verdict.gate.metric,
            kind=verdict.limit.kind,
            now=finite(verdict.now),
            bound=verdict.bound,
            origin=verdict.limit.origin,
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON form; ``where`` is that of a verdict."""
        said = asdict(self)
        where = said.pop("origin")
        return {**said, "where": where}


def told(breaches: Sequence[Breach]) -> str:
    """One line that has the first of them, and how many more there are."""
    shown = [f"{one.message} ({wording.place(one.origin)})" for one in breaches[:_FEW]]
    more = len(breaches) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more else "")
