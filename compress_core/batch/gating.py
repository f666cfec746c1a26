"""Gates of a batch: what an item's output has to pass before it appears."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

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
            hint=_next(found.failed[0], _typed(report, settings), report.spec),
            breaches=breaches,
        )
    return found.notes


def _typed(report: Report, settings: Settings) -> str:
    """The input as it is typed, with the key of its weights."""
    source = shlex.quote(report.source)
    return source if settings.key is None else f"{source} --key {shlex.quote(settings.key)}"


def _next(verdict: Verdict, source: str, config: Mapping[str, Any]) -> str:
    """A command that helps with a verdict; what it is of has not been written."""
    said = _look(verdict, source, config)
    if verdict.baseline is None:
        return said
    return f"{said} — or, if it is meant to grow, delete its line in {verdict.baseline}"


def _look(verdict: Verdict, source: str, config: Mapping[str, Any]) -> str:
    spec = verdict.limit.origin.file
    if spec is None:
        return f"modelopt plan {source} --compare W8A16,W4A16,W3A16"
    # only a batch can resume; what does not pass the gate replaces nothing
    force = " --force" if config.get("output", {}).get("on_exists") == "resume" else ""
    if verdict.gate.measures.reads in ("errors", "zeros"):
        return f"modelopt compress {source} --spec {shlex.quote(spec)} --gate-before-write{force}"
    return f"modelopt plan {source} --spec {shlex.quote(spec)}"
