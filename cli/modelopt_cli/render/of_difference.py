"""What the difference of two files has to show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from compress_core.difference import STATUSES, Difference, TensorDifference
from compress_core.report import ErrorResult, pooled
from compress_core.sizes import human
from compress_core.tensors import TensorInfo
from modelopt_cli.render.base import Column, Row, Sheet
from modelopt_cli.render.folding import Group, folded, unfolded
from modelopt_cli.render.numbers import NOTHING, decibels, magnitude, shape, share


@dataclass(frozen=True)
class DifferenceResult:
    """A difference, ready for any format.

    :ivar per_tensor: a line a tensor that is not equal, whatever their names have in common.
    """

    difference: Difference
    per_tensor: bool = False

    def to_json(self) -> Mapping[str, Any]:
        """The difference's own JSON form."""
        return self.difference.to_json()

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One record a tensor, the equal ones included."""
        return [tensor.to_json() for tensor in self.difference.tensors]

    def sheets(self) -> Sequence[Sheet]:
        """One table: what is not equal, a line for all that is, and everything."""
        everything = self.difference.tensors
        equal = tuple(tensor for tensor in everything if tensor.status == "equal")
        lines = [_Line(group.label, group.members) for group in self._groups()]
        lines += [_Line("equal tensors", equal)] if equal else []
        rows = [_row(line) for line in lines]
        rows.append(_row(_Line("all", everything, total=True)))
        titles = tuple(column for column, _ in _COLUMNS)
        return [Sheet(titles, tuple(rows), tuple(self._sentences()))]

    def _groups(self) -> list[Group[TensorDifference]]:
        unequal = [tensor for tensor in self.difference.tensors if tensor.status != "equal"]
        if self.per_tensor:
            return unfolded(unequal, lambda tensor: tensor.name)
        return folded(
            unequal,
            name=lambda tensor: tensor.name,
            kind=_change,
            size=lambda tensor: tensor.nbytes,
        )

    def _sentences(self) -> Iterable[str]:
        sides = (("A", self.difference.a), ("B", self.difference.b))
        yield " · ".join(f"{letter}: {side.path}, {human(side.nbytes)}" for letter, side in sides)
        yield ", ".join(f"{self.difference.count(status)} {status}" for status in STATUSES)
        if self.difference.measured is not None and self.difference.measured.error:
            yield "Error: ‖A−B‖/‖A‖ over all elements that were compared."


@dataclass(frozen=True)
class _Line:
    """One line of the table: tensors that changed alike, or all of them."""

    label: str
    tensors: tuple[TensorDifference, ...]
    total: bool = False

    @property
    def change(self) -> str:
        return "" if self.total else _change(self.tensors[0])

    @property
    def compared(self) -> int:
        return sum(tensor.compared for tensor in self.tensors)

    @property
    def differing(self) -> int | None:
        known = [tensor.differing for tensor in self.tensors if tensor.differing is not None]
        return sum(known) if known else None

    @cached_property
    def measured(self) -> ErrorResult | None:
        known = [tensor.measured for tensor in self.tensors if tensor.measured is not None]
        return pooled(known) if known else None

    def zeros(self, side: int) -> str:
        """The share of zeros in A (0) or B (1) among the elements where they were counted."""
        known = [(tensor.zeros[side], tensor.compared) for tensor in self.tensors if tensor.zeros]
        zeros, compared = (sum(counts) for counts in zip(*known, strict=True)) if known else (0, 0)
        return share(zeros, compared)


_COLUMNS: tuple[tuple[Column, Callable[[_Line], str]], ...] = (
    (Column("Tensors", "left"), lambda line: line.label),
    (Column("n"), lambda line: str(len(line.tensors))),
    (Column("Change", "left"), lambda line: line.change),
    (Column("Differ %"), lambda line: share(line.differing, line.compared)),
    (Column("Error"), lambda line: magnitude(line.measured.error) if line.measured else NOTHING),
    (
        Column("max |Δ|"),
        lambda line: magnitude(line.measured.max_abs) if line.measured else NOTHING,
    ),
    (
        Column("SQNR dB", wide=True),
        lambda line: decibels(line.measured.sqnr_db) if line.measured else NOTHING,
    ),
    (Column("Zeros % A", wide=True), lambda line: "" if line.total else line.zeros(0)),
    (Column("Zeros % B", wide=True), lambda line: "" if line.total else line.zeros(1)),
)


def _row(line: _Line) -> Row:
    return Row(tuple(cell(line) for _, cell in _COLUMNS), line.total)


def _change(tensor: TensorDifference) -> str:
    """What became of a tensor, in a word or as ``before → after``."""
    if tensor.a is None or tensor.b is None:
        return tensor.status
    before, after = _described(tensor.a, tensor.b), _described(tensor.b, tensor.a)
    if before:
        return f"{before} → {after}"
    return "values" if tensor.status == "changed" else "none"


def _described(one: TensorInfo, other: TensorInfo) -> str:
    """What sets ``one`` apart from ``other`` in the header."""
    said = [one.dtype.code] if one.dtype != other.dtype else []
    said += [shape(one.shape)] if one.shape != other.shape else []
    return " ".join(said)
