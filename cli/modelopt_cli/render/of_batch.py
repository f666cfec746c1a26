"""What a batch has to show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from compress_core.batch import BatchReport, Outcome, State
from modelopt_cli.render.base import Column, Row, Sheet
from modelopt_cli.render.judged import Finding, seen_from
from modelopt_cli.render.numbers import NOTHING, magnitude, megabytes, ratio

FAILED = 5
"""The exit code of a batch in which something failed."""


@dataclass(frozen=True)
class BatchResult:
    """A batch, ready for any format.

    :ivar root: the folder that findings name files from; ``None``: the current one.
    """

    report: BatchReport
    root: str | None = None

    @property
    def exit_code(self) -> int:
        """Of the process."""
        return FAILED if self.report.count("failed") else 0

    def to_json(self) -> Mapping[str, Any]:
        """The report's own JSON form, and the exit code."""
        return {**self.report.to_json(), "exit_code": self.exit_code}

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One record an item."""
        return [outcome.to_json() for outcome in self.report.outcomes]

    def sheets(self) -> Sequence[Sheet]:
        """One table: every item, and what came of all."""
        shown = _COLUMNS + (_REASONS if self.report.count("failed") else ())
        rows = [Row(tuple(cell(outcome) for _, cell in shown)) for outcome in self.report.outcomes]
        columns = tuple(column for column, _ in shown)
        return [Sheet(columns, tuple(rows), (self._sum(),))]

    def findings(self) -> Sequence[Finding]:
        """One a gate that failed, and one an item that failed for another reason."""
        return [one for outcome in self.report.outcomes for one in _findings(outcome, self.root)]

    def _sum(self) -> str:
        counts = {state: self.report.count(state) for state in get_args(State)}
        said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        shard = "" if self.report.shard == "1/1" else f" · shard {self.report.shard}"
        code = f" · exit {self.exit_code}" if self.exit_code else ""
        return f"{said or 'nothing to do'}{shard}{code}"


def _findings(outcome: Outcome, root: str | None) -> Iterator[Finding]:
    for breach in outcome.breaches:
        yield Finding(
            subject=outcome.item,
            title=breach.title,
            status="fail",
            message=f"{outcome.item}: {breach.message}",
            file=seen_from(root, breach.origin.file),
            line=breach.origin.line,
            column=breach.origin.column,
        )
    if outcome.error is not None and not outcome.breaches:
        title, said = f"{outcome.item} failed", str(outcome.error)
        yield Finding(outcome.item, title, "fail", said, of_gate=False)


def _size(outcome: Outcome, figure: str) -> str:
    return megabytes(outcome.totals[figure]) if outcome.totals else NOTHING


def _ratio(outcome: Outcome) -> str:
    known = outcome.totals
    return ratio(known["bytes_in"], known["bytes_out"]) if known else NOTHING


_COLUMNS: tuple[tuple[Column, Callable[[Outcome], str]], ...] = (
    (Column("Checkpoint", "left"), lambda outcome: outcome.item),
    (Column("State", "left"), lambda outcome: outcome.state),
    (Column("MiB in"), lambda outcome: _size(outcome, "bytes_in")),
    (Column("MiB out"), lambda outcome: _size(outcome, "bytes_out")),
    (Column("Ratio"), _ratio),
    (Column("Error"), lambda outcome: magnitude(outcome.totals.get("error"))),
)
_REASONS = ((Column("", "left", wraps=True), lambda outcome: outcome.message or ""),)
