"""What several plans for one input have to show beside each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compress_core.report import QuantizedTotals, Report, Totals
from modelopt_cli.render.base import Column, Row, Sheet
from modelopt_cli.render.numbers import NOTHING, decibels, magnitude, megabytes, ratio

SCHEMA = "modelopt.comparison/1"

_Columns = tuple[tuple[Column, Callable[[str, Report], str]], ...]


def _megabytes_out(name: str, plan: Report) -> str:
    return megabytes(plan.totals.bytes_out, exact=_is_exact(plan))


def _ratio(name: str, plan: Report) -> str:
    return ratio(plan.totals.bytes_in, plan.totals.bytes_out, exact=_is_exact(plan))


def _bits(totals: Totals | QuantizedTotals) -> str:
    bits = totals.bits_per_weight
    bound = "" if totals.exactness == "exact" else "≤"
    return NOTHING if bits is None else f"{bound}{bits:.2f}"


def _error(totals: Totals) -> str:
    return NOTHING if totals.measured is None else magnitude(totals.measured.error)


def _sqnr(totals: Totals | QuantizedTotals) -> str:
    return NOTHING if totals.measured is None else decibels(totals.measured.sqnr_db)


def _is_exact(plan: Report) -> bool:
    return plan.totals.exactness == "exact"


_NAME: _Columns = ((Column("Plan", "left"), lambda name, plan: name),)
_LAYOUT: _Columns = ((Column("Layout", "left"), lambda name, plan: plan.layout),)
_SIZES: _Columns = (
    *_NAME,
    (Column("MiB in"), lambda name, plan: megabytes(plan.totals.bytes_in)),
    (Column("MiB out"), _megabytes_out),
    (Column("Ratio"), _ratio),
    (Column("Bits/weight"), lambda name, plan: _bits(plan.totals)),
    *_LAYOUT,
)
_MEASURED: _Columns = (
    *_NAME,
    (Column("MiB in", wide=True), lambda name, plan: megabytes(plan.totals.bytes_in)),
    (Column("MiB out"), _megabytes_out),
    (Column("Ratio", spare=True), _ratio),
    (Column("Bits"), lambda name, plan: _bits(plan.totals)),
    (Column("Error"), lambda name, plan: _error(plan.totals)),
    (Column("SQNR dB"), lambda name, plan: _sqnr(plan.totals)),
    (Column("Quantized bits", wide=True), lambda name, plan: _bits(plan.quantized)),
    (Column("Quantized dB", wide=True), lambda name, plan: _sqnr(plan.quantized)),
    (Column("Gap dB"), lambda name, plan: decibels(plan.quantized.gap_db)),
    *_LAYOUT,
)
_WHAT_IS_MEASURED = (
    "Bits a weight, error ‖W−Ŵ‖/‖W‖, SQNR: over all tensors, as a run reports them.",
    "Gap: 6.02 dB for each stored bit a weight less SQNR, of quantized tensors alone.",
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
        """The totals of each plan, then (``quantized_…``) those of its quantized tensors."""
        return [
            {
                "plan": name,
                "layout": plan.layout,
                **plan.totals.to_json(),
                **{f"quantized_{key}": value for key, value in plan.quantized.to_json().items()},
            }
            for name, plan in self.plans.items()
        ]

    def sheets(self) -> Sequence[Sheet]:
        """One line a plan; with errors, where any has them."""
        measured = any(plan.has_errors for plan in self.plans.values())
        shown = _MEASURED if measured else _SIZES
        rows = (
            Row(tuple(cell(name, plan) for _, cell in shown)) for name, plan in self.plans.items()
        )
        lines = _WHAT_IS_MEASURED if measured else ()
        return [Sheet(tuple(column for column, _ in shown), tuple(rows), lines)]
