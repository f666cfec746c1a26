"""What the verdicts of gates have to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compress_core.gates import Check, Verdict, wording
from modelopt_cli.render.base import Column, Row, Sheet
from modelopt_cli.render.judged import Finding, seen_from

_COLUMNS = (
    Column("Gate", "left"),
    Column("Limit", "left"),
    Column("Now", "left"),
    Column("Slack", "left"),
    Column("Verdict", "left"),
)
_WORDS = {"ok": "ok", "fail": "FAIL", "new": "new"}


@dataclass(frozen=True)
class CheckResult:
    """Verdicts, ready for any format.

    :ivar root: the folder that findings name files from; ``None``: the current one.
    """

    check: Check
    root: str | None = None

    def to_json(self) -> Mapping[str, Any]:
        """The check's own JSON form."""
        return self.check.to_json()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One record a verdict."""
        return [_record(verdict) for verdict in self.check.verdicts]

    def sheets(self) -> Sequence[Sheet]:
        """One table, a line a verdict."""
        return [verdict_sheet(self.check)]

    def findings(self) -> Sequence[Finding]:
        """One a verdict."""
        return findings(self.check, self.root)


def verdict_sheet(check: Check) -> Sheet:
    """A line a verdict; below it, the tensors that are beyond a limit."""
    alone = len(check.files) == 1
    rows = (
        Row(
            (
                wording.label(verdict, alone=alone),
                wording.limit(verdict),
                wording.now(verdict),
                wording.slack(verdict),
                _WORDS[verdict.status],
            )
        )
        for verdict in check.verdicts
    )
    return Sheet(_COLUMNS, tuple(rows), tuple(_sentences(check, alone)))


def _sentences(check: Check, alone: bool) -> Iterable[str]:
    for verdict in check.failed:
        if verdict.breaches:
            yield f"{wording.label(verdict, alone=alone)}: {wording.beyond(verdict)}"


def findings(check: Check, root: str | None) -> list[Finding]:
    """Every verdict as a machine wants to read it."""
    alone = len(check.files) == 1
    return [
        Finding(
            subject=verdict.file,
            title=wording.title(verdict, alone=alone),
            status=verdict.status,
            message=wording.sentence(verdict),
            file=seen_from(root, verdict.limit.origin.file),
            line=verdict.limit.origin.line,
            column=verdict.limit.origin.column,
            limit=wording.limit(verdict),
        )
        for verdict in check.verdicts
    ]


def _record(verdict: Verdict) -> Mapping[str, Any]:
    """The verdict's JSON form without what is no figure of a line."""
    flat = {**verdict.to_json(), "breaches": len(verdict.breaches)}
    flat |= {key: ", ".join(flat[key]) for key in ("match", "ignore")}
    return flat | {"limit": wording.limit(verdict), "where": str(verdict.limit.origin)}
