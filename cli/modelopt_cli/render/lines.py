"""The lines of a report's table, and what its columns say of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from compress_core.report import (
    ErrorResult,
    OutputErrors,
    TensorReport,
    Totals,
    mean_outputs,
    pooled,
)
from modelopt_cli.render.base import Column
from modelopt_cli.render.folding import Group
from modelopt_cli.render.numbers import NOTHING, decibels, magnitude, megabytes, percent, ratio


@dataclass(frozen=True)
class Line:
    """One line of the table: a group of tensors, or all of them.

    :ivar measured: over all elements of the group.
    :ivar elements: those that ``zeros`` was counted among.
    :ivar outputs: the error of what its layers give.
    """

    label: str
    count: int
    to: str
    bytes_in: int
    bytes_out: int
    exact: bool
    measured: ErrorResult | None
    zeros: int | None
    elements: int
    outputs: OutputErrors | None

    @classmethod
    def of_group(cls, group: Group[TensorReport]) -> Line:
        """The sums over a group of tensors that became the same."""
        measured = [tensor.measured for tensor in group.members if tensor.measured is not None]
        counted = [tensor for tensor in group.members if tensor.zeros is not None]
        return cls(
            label=group.label,
            count=len(group.members),
            to=group.members[0].to,
            bytes_in=sum(tensor.bytes_in for tensor in group.members),
            bytes_out=sum(tensor.bytes_out for tensor in group.members),
            exact=all(tensor.exactness == "exact" for tensor in group.members),
            measured=pooled(measured) if measured else None,
            zeros=sum(tensor.zeros or 0 for tensor in counted) if counted else None,
            elements=sum(tensor.elements for tensor in counted),
            outputs=mean_outputs(one.outputs for one in group.members if one.outputs is not None),
        )

    @classmethod
    def of_totals(cls, totals: Totals, count: int) -> Line:
        """Whole files, headers included."""
        return cls(
            label="all",
            count=count,
            to="",
            bytes_in=totals.bytes_in,
            bytes_out=totals.bytes_out,
            exact=totals.exactness == "exact",
            measured=totals.measured,
            zeros=totals.zeros,
            elements=totals.float_elements,
            outputs=totals.outputs,
        )


Columns = tuple[tuple[Column, Callable[[Line], str]], ...]

SIZES: Columns = (
    (Column("Tensors", "left"), lambda line: line.label),
    (Column("n"), lambda line: str(line.count)),
    (Column("To", "left"), lambda line: line.to),
    (Column("MiB in", spare=True), lambda line: megabytes(line.bytes_in)),
    (Column("MiB out"), lambda line: megabytes(line.bytes_out, exact=line.exact)),
    (Column("Ratio"), lambda line: ratio(line.bytes_in, line.bytes_out, exact=line.exact)),
)
ZEROS: Columns = ((Column("Zeros %"), lambda line: percent(line.zeros, line.elements)),)
ERRORS: Columns = (
    (
        Column("Error"),
        lambda line: magnitude(line.measured.error) if line.measured else NOTHING,
    ),
    (
        Column("SQNR dB", wide=True),
        lambda line: decibels(line.measured.sqnr_db) if line.measured else NOTHING,
    ),
    (
        Column("max |Δ|", wide=True),
        lambda line: magnitude(line.measured.max_abs) if line.measured else NOTHING,
    ),
)
OUTPUTS: Columns = (
    (
        Column("Output error"),
        lambda line: magnitude(line.outputs.in_sample.error) if line.outputs else NOTHING,
    ),
    (
        Column("held out"),
        lambda line: (
            magnitude(line.outputs.held_out.error)
            if line.outputs and line.outputs.held_out
            else NOTHING
        ),
    ),
)
