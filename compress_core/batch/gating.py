"""Gates of a batch: what an item's output has to pass before it appears."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from compress_core.checking import check_report
from compress_core.errors import GateError
from compress_core.gates import Breach, Gate, Judge, Verdict
from compress_core.gates.breach import told
from compress_core.report import Report
from compress_core.settings import Settings


def judged(report: Report, gates: Sequence[Gate], settings: Settings) -> Sequence[str]:
    """What gates have to say of an output that passes them.

    :raises GateError: it does not pass one.
    :raises UsageError: a gate finds nothing to measure.
    """
    if not gates:
        return ()
    found = check_report(report, Judge(gates), settings)
    if found.failed:
        breaches = [Breach.of(verdict) for verdict in found.failed]
        raise GateError(
            told(breaches),
            where=report.source,
            hint=_next(found.failed[0], shlex.quote(report.source)),
            breaches=breaches,
        )
    return found.notes


def _next(verdict: Verdict, source: str) -> str:
    """A command that helps with a verdict; what it is of has not been written."""
    said = _look(verdict, source)
    if verdict.baseline is None:
        return said
    return f"{said} — or, if it is meant to grow, delete its line in {verdict.baseline}"


def _look(verdict: Verdict, source: str) -> str:
    spec = verdict.limit.origin.file
    if spec is None:
        return f"modelopt plan {source} --compare W8A16,W4A16,W3A16"
    if verdict.gate.measures.reads in ("errors", "zeros"):
        return f"modelopt compress {source} --spec {shlex.quote(spec)} --gate-before-write"
    return f"modelopt plan {source} --spec {shlex.quote(spec)}"
