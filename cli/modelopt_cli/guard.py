"""The gates of a run: judged when its result is known, before it appears if that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from compress_core.errors import UsageError
from modelopt_cli.console import Output
from modelopt_cli.gate_options import Guarding

if TYPE_CHECKING:  # most runs have no gates
    from compress_core import Check, Gate, Report, Settings, Spec

_DATA = ("errors", "zeros")
"""What gates read that no header tells."""


class GateRefusal(Exception):  # noqa: N818 - no error: an answer
    """A gate said no to what was about to be written."""

    def __init__(self, report: Report, check: Check) -> None:
        super().__init__("a gate said no")
        self.report = report
        self.check = check


class Guard:
    """Gates that wait for a report.

    :raises UsageError: a baseline is missing; that is said before any work is done.
    """

    def __init__(self, gates: Sequence[Gate], settings: Settings) -> None:
        from compress_core.gates import Judge

        self._judge = Judge(gates)
        self._settings = settings

    def judged(self, report: Report) -> Check:
        """What the gates say."""
        from compress_core.checking import check_report

        return check_report(report, self._judge, self._settings)

    def refuse(self, report: Report) -> None:
        """Do nothing, unless a gate fails.

        :raises GateRefusal: one does.
        """
        check = self.judged(report)
        if check.failed:
            # nothing will be there: the report must not say that it was written
            raise GateRefusal(replace(report, target=None), check)


class Forecast:
    """What gates say of a plan: of sizes, where they are exact; all else is left to the run.

    :param measured: the plan has measured what would be written, so that nothing is left.
    :raises UsageError: a baseline is missing.
    """

    def __init__(
        self, gates: Sequence[Gate], settings: Settings, *, measured: bool = False
    ) -> None:
        self._gates = gates
        self._known = [gate for gate in gates if measured or gate.measures.reads not in _DATA]
        self._guard = Guard(self._known, settings)

    def judged(self, report: Report) -> Check | None:
        """What they say; ``None``: nothing yet."""
        return self._guard.judged(report) if self._foreseen(report) else None

    def left(self, report: Report) -> str | None:
        """What is to be said of the others."""
        foreseen = self._foreseen(report)
        metrics = dict.fromkeys(gate.metric for gate in self._gates if gate not in foreseen)
        return f"not judged by plan: {', '.join(metrics)}" if metrics else None

    def _foreseen(self, report: Report) -> Sequence[Gate]:
        # what is at most so large may well be smaller
        return self._known if report.totals.exactness == "exact" else ()


def guarded(spec: Spec, guarding: Guarding, output: Output) -> Spec:
    """``spec`` with the gates of flags, where there are any, in the place of its own.

    :raises UsageError: gates are to be judged, and there are none.
    """
    if guarding.gates and spec.gates:
        output.note("gates: those of the flags, not those of the spec")
    found = replace(spec, gates=guarding.gates or spec.gates)
    if guarding.gate_before_write and not found.gates:
        raise UsageError("--gate-before-write without a gate", hint="try --max-error 0.2")
    return found
