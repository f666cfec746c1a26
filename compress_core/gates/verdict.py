"""What came of gates, as values with a JSON form. Rendering is somebody else's work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from compress_core.gates.gate import Gate, Limit
from compress_core.gates.measurement import Measurement
from compress_core.report import finite

SCHEMA = "modelopt.check/1"

Status = Literal["ok", "fail", "new"]


@dataclass(frozen=True)
class TensorFigure:
    """The metric of one tensor."""

    name: str
    now: float

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        return {"name": self.name, "now": finite(self.now)}


@dataclass(frozen=True)
class Verdict:
    """One limit of a gate on one file.

    :ivar now: what was measured, in the metric's unit; over tensors the worst of them. It may be
        infinite: an SQNR without any noise.
    :ivar bound: what ``now`` may be at most, or at least; for growth, in bytes, and ``None`` for a
        file that the baseline does not know.
    :ivar before: what the baseline says.
    :ivar baseline: its file.
    :ivar worst: the tensor that ``now`` is of, for a gate over tensors.
    :ivar breaches: the tensors beyond the bound, likewise, worst first.
    :ivar measured: how many tensors were measured.
    """

    file: str
    gate: Gate
    limit: Limit
    now: float
    bound: float | None
    measured: int
    before: int | None = None
    baseline: str | None = None
    worst: str | None = None
    breaches: tuple[TensorFigure, ...] = ()

    @property
    def slack(self) -> float | None:
        """How far ``now`` is from the bound; negative when it is beyond."""
        if self.bound is None:
            return None
        return self.now - self.bound if self.limit.kind == "min" else self.bound - self.now

    @property
    def status(self) -> Status:
        """``new``: there is nothing to compare with yet."""
        slack = self.slack
        if slack is None:
            return "new"
        return "ok" if slack >= 0 else "fail"

    @property
    def failed(self) -> bool:
        """Whether the limit is exceeded."""
        return self.status == "fail"

    def to_json(self) -> dict[str, Any]:
        """The JSON form; bytes are integers, and ``null`` what is infinite or does not apply."""
        origin = self.limit.origin
        return {
            "file": self.file,
            "metric": self.gate.metric,
            "over": self.gate.over,
            "match": [pattern.text for pattern in self.gate.match],
            "ignore": [pattern.text for pattern in self.gate.ignore],
            "kind": self.limit.kind,
            "limit": self.gate.config()[self.limit.kind],
            "bound": self.bound,
            "now": finite(self.now),
            "slack": None if self.slack is None else finite(self.slack),
            "before": self.before,
            "baseline": self.baseline,
            "status": self.status,
            "measured": self.measured,
            "worst": self.worst,
            "breaches": [breach.to_json() for breach in self.breaches],
            "where": {
                "said": origin.said,
                "file": origin.file,
                "line": origin.line,
                "column": origin.column,
            },
        }


@dataclass(frozen=True)
class Check:
    """All verdicts on all files.

    :ivar against: the original that errors were computed from.
    :ivar notes: what must be said: new and vanished files, what became of a baseline.
    """

    verdicts: tuple[Verdict, ...]
    files: tuple[Measurement, ...]
    version: str
    against: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The verdicts that say no."""
        return tuple(verdict for verdict in self.verdicts if verdict.failed)

    def to_json(self) -> dict[str, Any]:
        """The JSON form, schema ``modelopt.check/1``."""
        return {
            "schema": SCHEMA,
            "version": self.version,
            "against": self.against,
            "passed": not self.failed,
            "files": [file.to_json() for file in self.files],
            "gates": [verdict.to_json() for verdict in self.verdicts],
            "notes": list(self.notes),
        }
