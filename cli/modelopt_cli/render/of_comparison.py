"""What several plans for one input have to show beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compress_core.report import Report
from modelopt_cli.render.base import Column, Row, Sheet
from modelopt_cli.render.numbers import NOTHING, megabytes, ratio

SCHEMA = "modelopt.comparison/1"

_COLUMNS = (
    Column("Plan", "left"),
    Column("MiB in"),
    Column("MiB out"),
    Column("Ratio"),
    Column("Bits/weight"),
    Column("Layout", "left"),
)


@dataclass(frozen=True)
class Comparison:
    """Plans by the name of what sets them apart."""

    plans: Mapping[str, Report]

    def to_json(self) -> Mapping[str, Any]:
        """Every plan whole."""
        return {
            "schema": SCHEMA,
            "plans": {name: plan.to_json() for name, plan in self.plans.items()},
        }

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The totals of each plan."""
        return [
            {"plan": name, "layout": plan.layout, **plan.totals.to_json()}
            for name, plan in self.plans.items()
        ]

    def sheets(self) -> Sequence[Sheet]:
        """One line a plan."""
        return [Sheet(_COLUMNS, tuple(_row(name, plan) for name, plan in self.plans.items()))]


def _row(name: str, plan: Report) -> Row:
    totals = plan.totals
    exact = totals.exactness == "exact"
    bits = totals.bits_per_weight
    return Row(
        (
            name,
            megabytes(totals.bytes_in),
            megabytes(totals.bytes_out, exact=exact),
            ratio(totals.bytes_in, totals.bytes_out, exact=exact),
            NOTHING if bits is None else f"{'' if exact else '≤'}{bits:.2f}",
            plan.layout,
        )
    )
