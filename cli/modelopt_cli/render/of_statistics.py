"""What the values of files have to show."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from compress_core.dtypes import DTYPES
from compress_core.statistics import TensorStatistics, pooled
from modelopt_cli.inspection import Contents, TensorContents
from modelopt_cli.render.base import Column, Row, Sheet
from modelopt_cli.render.numbers import NOTHING, extreme, magnitude, share
from modelopt_cli.render.of_contents import ContentsResult

_BLOCKS = "▁▂▃▄▅▆▇█"
"""The lowest stands for an empty bin, so that a single element can be seen."""


class StatisticsResult(ContentsResult):
    """One or more files whose data were read."""

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One record a tensor, with the path of its file and all figures beside each other."""
        return [
            {**{key: value for key, value in record.items() if key != "stats"}, **record["stats"]}
            for record in super().records()
        ]

    def small_kind(self, tensor: TensorContents) -> Hashable:
        """Statistics are said of one dtype; how it is stored is not."""
        return tensor.dtype

    def sheet(self, contents: Contents) -> Sheet:
        """The table about one file: of a group, the statistics of all its elements."""
        whole = _Line("all", contents.tensors, total=True)
        lines = [_Line(group.label, group.members) for group in self.groups(contents)]
        shown = [one for one in _COLUMNS if one.applies(whole)]
        rows = [Row(tuple(one.cell(line) for one in shown), line.total) for line in [*lines, whole]]
        return self.sheet_of(contents, [one.column for one in shown], rows)


@dataclass(frozen=True)
class _Line:
    """One line of the table: tensors of one dtype, or (``total``) all of them."""

    label: str
    tensors: tuple[TensorContents, ...]
    total: bool = False

    @cached_property
    def found(self) -> TensorStatistics:
        """Of all elements."""
        known = [tensor.statistics for tensor in self.tensors if tensor.statistics is not None]
        return pooled(known)

    @property
    def counted(self) -> int:
        """Elements among which zeros were counted."""
        return sum(
            math.prod(tensor.shape)
            for tensor in self.tensors
            if tensor.statistics is not None and tensor.statistics.zeros is not None
        )

    @property
    def odd(self) -> int | None:
        """Elements that are NaN or infinite."""
        counts = (self.found.nan, self.found.infinite)
        return None if None in counts else sum(count or 0 for count in counts)

    @property
    def fits(self) -> str:
        """The narrowest dtypes that hold every value exactly; whether at least some tensors fit."""
        fits = self.found.fits
        if fits:
            return ", ".join(one for one in fits if DTYPES[one].bits == DTYPES[fits[0]].bits)
        return "some" if self.any_fits else NOTHING

    @property
    def any_fits(self) -> bool:
        """Whether one of the tensors fits a narrower dtype."""
        return any(tensor.statistics.fits for tensor in self.tensors if tensor.statistics)


@dataclass(frozen=True)
class _Shown:
    """A column, its cell in a line, and whether it says anything, given the line of all tensors.

    :ivar of_one_dtype: whether the cell makes no sense for tensors of several dtypes.
    """

    column: Column
    text: Callable[[_Line], str]
    applies: Callable[[_Line], bool] = lambda whole: True
    of_one_dtype: bool = True

    def cell(self, line: _Line) -> str:
        return "" if line.total and self.of_one_dtype else self.text(line)


def _sparkline(counts: Sequence[int] | None) -> str:
    """A block for each bin, as high as its share of the fullest."""
    if counts is None:
        return NOTHING
    fullest = max(counts)
    return "".join(_BLOCKS[-(-count * (len(_BLOCKS) - 1) // fullest)] for count in counts)


_COLUMNS = (
    _Shown(Column("Tensors", "left"), lambda line: line.label, of_one_dtype=False),
    _Shown(Column("n"), lambda line: str(len(line.tensors)), of_one_dtype=False),
    _Shown(Column("Dtype", "left"), lambda line: line.tensors[0].dtype),
    _Shown(Column("Fits", "left"), lambda line: line.fits, lambda whole: whole.any_fits),
    _Shown(Column("Min"), lambda line: extreme(line.found.low)),
    _Shown(Column("Max"), lambda line: extreme(line.found.high)),
    _Shown(Column("Mean", wide=True), lambda line: magnitude(line.found.mean)),
    _Shown(Column("Std", wide=True), lambda line: magnitude(line.found.std)),
    _Shown(
        Column("Zeros %"), lambda line: share(line.found.zeros, line.counted), of_one_dtype=False
    ),
    _Shown(
        Column("NaN, inf"),
        lambda line: NOTHING if line.odd is None else str(line.odd),
        lambda whole: bool(whole.odd),
        of_one_dtype=False,
    ),
    _Shown(Column("Histogram", "left", spare=True), lambda line: _sparkline(line.found.histogram)),
)
