"""What a run or a plan has to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress_core.report import Report, TensorReport
from compress_core.sizes import human
from modelopt_cli.render.base import Row, Sheet
from modelopt_cli.render.folding import Group, folded, unfolded
from modelopt_cli.render.lines import ERRORS, OUTPUTS, SIZES, ZEROS, Columns, Line
from modelopt_cli.render.numbers import decibels, percent, share

if TYPE_CHECKING:
    from compress_core.gates import Check
    from modelopt_cli.render.judged import Finding


@dataclass(frozen=True)
class ReportResult:
    """A report, ready for any format.

    :ivar per_tensor: a line a tensor, whatever their names have in common.
    :ivar check: what the gates of the spec say of it; ``None`` where there are none.
    :ivar root: the folder that findings name files from; ``None``: the current one.
    """

    report: Report
    per_tensor: bool = False
    check: Check | None = None
    root: str | None = None

    def to_json(self) -> Mapping[str, Any]:
        """The report's own JSON form; with gates, their verdicts besides."""
        if self.check is None:
            return self.report.to_json()
        return {**self.report.to_json(), "check": self.check.to_json()}

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One record a tensor."""
        return [tensor.to_json() for tensor in self.report.tensors]

    def sheets(self) -> Sequence[Sheet]:
        """Groups of tensors, and all of them; with gates, their verdicts in another table."""
        shown = self._columns()
        total = Line.of_totals(self.report.totals, len(self.report.tensors))
        rows = [_row(Line.of_group(group), shown) for group in self._groups()]
        rows.append(_row(total, shown, total=True))
        columns = tuple(column for column, _ in shown)
        whole = Sheet(columns, tuple(rows), tuple(self._sentences()))
        if self.check is None:
            return [whole]
        from modelopt_cli.render.of_check import verdict_sheet  # most runs have no gates

        return [whole, verdict_sheet(self.check)]

    def findings(self) -> Sequence[Finding]:
        """One a verdict."""
        if self.check is None:
            return []
        from modelopt_cli.render.of_check import findings

        return findings(self.check, self.root)

    def _groups(self) -> list[Group[TensorReport]]:
        if self.per_tensor:
            return unfolded(self.report.tensors, lambda tensor: tensor.name)
        return folded(
            self.report.tensors,
            name=lambda tensor: tensor.name,
            kind=lambda tensor: tensor.to,
            size=lambda tensor: max(tensor.bytes_in, tensor.bytes_out),
        )

    def _columns(self) -> Columns:
        if self.report.kind == "plan" and not self.report.has_errors:
            return SIZES
        outputs = OUTPUTS if self.report.totals.outputs is not None else ()
        return SIZES + (ZEROS if self._prunes else ()) + ERRORS + outputs

    @property
    def _prunes(self) -> bool:
        return any(step.get("pass") == "prune" for step in self.report.spec.get("passes", ()))

    def _sentences(self) -> Iterable[str]:
        if self.report.kind == "plan":
            yield self._outlook()
            yield from self._efficiency()
        if self.report.totals.measured is not None:
            yield "Error: ‖W−Ŵ‖/‖W‖ over all elements (of the weights, not the model's accuracy)."
            if self.report.totals.outputs is not None:
                yield (
                    "Output error: the same of what layers give, by the Gram file; of several, the"
                    " root of the mean square."
                )
            if not self._prunes and self.report.totals.zeros is not None:
                yield self._zeros()
            if self.report.quantized.clipped:
                yield self._clipped(self.report.quantized.clipped)
        if self._saves_nothing:
            yield self._disappointment()
        yield self._destination()

    def _outlook(self) -> str:
        totals, exact = self.report.totals, self.report.totals.exactness == "exact"
        said = [f"{'Exactly' if exact else 'At most'} {totals.bytes_out} bytes"]
        if totals.bits_per_weight is not None:
            said.append(f"{'' if exact else '≤'}{totals.bits_per_weight:.2f} bits/weight")
        if self.report.peak_bytes is not None:
            said.append(f"about {human(self.report.peak_bytes)} of memory")
        return " · ".join(said)

    def _efficiency(self) -> Iterable[str]:
        found = self.report.quantized
        if found.measured is not None and found.gap_db is not None:
            yield (
                f"Quantized tensors: {found.bits_per_weight:.2f} bits/weight · "
                f"SQNR {decibels(found.measured.sqnr_db)} dB · "
                f"gap to the Gaussian line {decibels(found.gap_db)} dB"
            )

    def _zeros(self) -> str:
        totals = self.report.totals
        return f"Zeros: {percent(totals.zeros, totals.float_elements)} % of all elements."

    def _clipped(self, count: int) -> str:
        part = share(count, self.report.quantized.elements)
        return f"Clipped: {part} % of the quantized elements lie beyond the numbers of their group."

    @property
    def _saves_nothing(self) -> bool:
        if not self.report.spec.get(
            "passes"
        ):  # a copy, or plain weights again: nobody hoped for it
            return False
        totals = self.report.totals
        return totals.exactness == "exact" and totals.bytes_out >= totals.bytes_in

    def _disappointment(self) -> str:
        totals = self.report.totals
        said = f"Saves no bytes: {totals.bytes_in} in, {totals.bytes_out} out"
        if totals.zeros is not None:
            said += f"; {percent(totals.zeros, totals.float_elements)} % of the elements are zero"
        return f"{said}."

    def _destination(self) -> str:
        verb = "Would write" if self.report.kind == "plan" else "Wrote"
        target = self.report.target
        said = [f"{verb} {target}"] if target is not None else []
        return " · ".join([*said, f"layout {self.report.layout}", f"for {self.report.read_by}"])


def _row(line: Line, shown: Columns, *, total: bool = False) -> Row:
    return Row(tuple(cell(line) for _, cell in shown), total)
